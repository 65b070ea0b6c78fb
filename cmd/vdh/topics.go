package main

import "github.com/spf13/cobra"

const exitCodes = `  0    done
  1    failed
  2    wrong usage: words of the command line, environment or config file
  3    done, but some files could not be read or written; each is named on standard error
  4    stored in the swarm, but below its target redundancy (3 if there were such files as well);
       or pruned, but not all members could be told
  10   no such snapshot, or the name fits several
  11   blocks, or the members of the swarm, are unavailable now; later may work
  130  interrupted; everything is consistent, run the same command again`

const configuration = `Every flag is also a key of the config file, $XDG_CONFIG_HOME/vdh/config.toml, and an environment
variable. The command line comes first, then the environment, then the file.

    store = "/mnt/archive"

    [backup]
    exclude = ["*.tmp", ".cache/"]
    exclude-caches = true

    [swarm.invite]
    expires = "24h"

The store is the whole path of a folder, or "swarm" for the swarm that this machine has joined. On
the command line, a folder of that name is ./swarm.

The global flags stand at the top, and as variables are VDH_STORE, VDH_QUIET and so on. The flags of
a verb stand in its table, and as variables are VDH_BACKUP_EXCLUDE_CACHES and so on. A variable of a
flag that may be given several times holds one value a line.

Files, each under its XDG folder or the usual place below $HOME where that is not set:

    $XDG_CONFIG_HOME/vdh/config.toml   the config file
    $XDG_DATA_HOME/vdh/identity        the keys; whoever has this file can read everything
    $XDG_DATA_HOME/vdh/store           the store, unless --store names another
    $XDG_DATA_HOME/vdh/swarm           who this machine is in its swarm, what its node keeps for others, and
                                       the lists of the snapshots in the swarm
    $XDG_CACHE_HOME/vdh                what makes backups faster; may be removed at any time`

const formats = `Standard output has the result, standard error progress and what failed. Sizes are in bytes, or with
a unit of 1024.

Names of files are bytes. For people, a name with control characters or that is no UTF-8 stands in
quotes with escapes, as in Go. In JSON a name is a string, or {"base64": "…"} where it is no UTF-8.

With --json each line is one object, whose "type" says what it is; the help of each verb lists the
fields. Times are RFC 3339, in UTC for snapshots. Fields may be added; none changes its meaning.`

// topics returns the help topics that are no verbs.
func topics() []*cobra.Command {
	return []*cobra.Command{
		{Use: "exit-codes", Short: "what the exit code says", Long: exitCodes},
		{Use: "config", Short: "config file, environment and folders", Long: configuration},
		{Use: "formats", Short: "what is printed, for people and for programs", Long: formats},
	}
}
