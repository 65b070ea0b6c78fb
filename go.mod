module ventidhash

go 1.26.0

require (
	github.com/dgraph-io/badger v1.6.2 // what go-ds-badger stands on: to see tables that it dropped, and to rebuild the index fast
	github.com/dustin/go-humanize v1.0.0 // sizes and counts for people
	github.com/go-git/go-git/v5 v5.19.3 // gitignore patterns, as git reads them
	github.com/ipfs/go-datastore v0.9.2 // the interface of the index
	github.com/ipfs/go-ds-badger v0.3.4 // the index of the store on disk
	github.com/klauspost/compress v1.20.3 // zstd
	github.com/multiformats/go-multihash v0.2.3 // scores on disk say which hash they are
	github.com/pelletier/go-toml/v2 v2.4.3 // the config file, strictly
	github.com/rogpeppe/go-internal v1.16.0 // testscript: tests that a user can read
	github.com/spf13/cobra v1.10.2 // commands, help, completions
	github.com/spf13/pflag v1.0.9 // the flags of cobra
	github.com/tyler-smith/go-bip39 v1.1.0 // recovery phrases
	github.com/vbauerster/mpb/v8 v8.9.3 // the progress bar
	github.com/zeebo/blake3 v0.2.4 // hashes of contents, keys of blocks
	golang.org/x/sys v0.49.0 // system calls that the standard library lacks
	golang.org/x/term v0.47.0 // is this a terminal, and how wide
)

require (
	github.com/AndreasBriese/bbloom v0.0.0-20190825152654-46b345b51c96 // indirect
	github.com/BurntSushi/toml v1.4.1-0.20240526193622-a339e1f7089c // indirect
	github.com/VividCortex/ewma v1.2.0 // indirect
	github.com/acarl005/stripansi v0.0.0-20180116102854-5a71ef0e047d // indirect
	github.com/cespare/xxhash v1.1.0 // indirect
	github.com/dgraph-io/ristretto v0.0.2 // indirect
	github.com/go-git/gcfg v1.5.1-0.20230307220236-3a3c6141e376 // indirect
	github.com/go-git/go-billy/v5 v5.9.2 // indirect
	github.com/golang/protobuf v1.5.4 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/ipfs/go-log/v2 v2.5.1 // indirect
	github.com/jbenet/go-context v0.0.0-20150711004518-d14ea06fba99 // indirect
	github.com/klauspost/cpuid/v2 v2.0.12 // indirect
	github.com/mattn/go-isatty v0.0.14 // indirect
	github.com/mattn/go-runewidth v0.0.16 // indirect
	github.com/minio/sha256-simd v1.0.0 // indirect
	github.com/mr-tron/base58 v1.2.0 // indirect
	github.com/multiformats/go-varint v0.0.6 // indirect
	github.com/pkg/errors v0.9.1 // indirect
	github.com/rivo/uniseg v0.4.7 // indirect
	github.com/spaolacci/murmur3 v1.1.0 // indirect
	go.uber.org/atomic v1.7.0 // indirect
	go.uber.org/multierr v1.11.0 // indirect
	go.uber.org/zap v1.19.1 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/exp/typeparams v0.0.0-20231108232855-2478ac86f678 // indirect
	golang.org/x/mod v0.41.0 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/sync v0.23.0 // indirect
	golang.org/x/tools v0.51.0 // indirect
	google.golang.org/protobuf v1.33.0 // indirect
	gopkg.in/warnings.v0 v0.1.2 // indirect
	gopkg.in/yaml.v2 v2.4.0 // indirect
	honnef.co/go/tools v0.8.2 // indirect
	lukechampine.com/blake3 v1.1.6 // indirect
)

tool honnef.co/go/tools/cmd/staticcheck
