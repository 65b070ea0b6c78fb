package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// xdg returns the folder of the program under one of the XDG base directories.
func xdg(variable, fallback string) (string, error) {
	if dir := os.Getenv(variable); filepath.IsAbs(dir) {
		return filepath.Join(dir, "vdh"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("%w; set %s", err, variable)
	}
	return filepath.Join(home, fallback, "vdh"), nil
}

func configFile() (string, error) {
	dir, err := xdg("XDG_CONFIG_HOME", ".config")
	return filepath.Join(dir, "config.toml"), err
}

// configure fills the flags that were not given from the environment, and then from the config file. There, the global
// flags are keys at the top and the flags of a verb keys of its table, because verbs use one word for different things:
// the excludes of a backup are no excludes of a restore. The table of vdh swarm invite is [swarm.invite].
func (a *app) configure(cmd *cobra.Command) error {
	name, err := configFile()
	if err != nil {
		return err
	}
	keys, err := readConfig(name, cmd.Root())
	if err != nil {
		return usage{fmt.Errorf("config %s: %w", name, err)}
	}
	err = fill(cmd.InheritedFlags(), "VDH_", keys)
	own, prefix := keys, "VDH_"
	for _, word := range verbOf(cmd) {
		own, _ = own[word].(map[string]any)
		prefix += variable(word) + "_"
	}
	if err == nil && cmd.HasParent() {
		err = fill(cmd.LocalNonPersistentFlags(), prefix, own)
	}
	if err != nil {
		return usage{err}
	}
	return nil
}

// readConfig reads the config file, which need not exist, and checks that every key is a flag.
func readConfig(name string, root *cobra.Command) (map[string]any, error) {
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	keys := map[string]any{}
	if err := toml.Unmarshal(b, &keys); err != nil {
		return nil, err
	}
	for key, v := range keys {
		table, isTable := v.(map[string]any)
		switch {
		case key == jobKey:
			if _, err := jobsOf(v); err != nil {
				return nil, err
			}
		case key == "store" && !isTable:
			if dir := fmt.Sprint(v); dir != swarmWord && !filepath.IsAbs(dir) {
				return nil, fmt.Errorf("store %q: give the whole path, since vdh is run from anywhere, or %q", dir, swarmWord)
			}
		case root.PersistentFlags().Lookup(key) != nil && !isTable:
		case !isTable:
			return nil, fmt.Errorf("%q is not a global flag; the flags of a verb stand in its table, like [backup]", key)
		default:
			if err := checkTable(root, []string{key}, table); err != nil {
				return nil, err
			}
		}
	}
	return keys, nil
}

// readJobs returns the jobs of a config file that readConfig has found to be good.
func readJobs(name string) ([]*job, error) {
	var file struct {
		Job any `toml:"job"`
	}
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = toml.Unmarshal(b, &file)
	}
	if err != nil || file.Job == nil {
		return nil, err
	}
	return jobsOf(file.Job)
}

// checkTable checks the table of a verb, which has flags, and tables of the verbs below it.
func checkTable(root *cobra.Command, words []string, table map[string]any) error {
	name := strings.Join(words, ".")
	verb, rest, err := root.Find(words)
	if err != nil || verb == root || len(rest) > 0 {
		return fmt.Errorf("[%s] is not a verb", name)
	}
	for key, v := range table {
		if below, ok := v.(map[string]any); ok {
			if err := checkTable(root, append(slices.Clone(words), key), below); err != nil {
				return err
			}
		} else if verb.LocalNonPersistentFlags().Lookup(key) == nil {
			return fmt.Errorf("[%s] %s: there is no such flag; see: vdh %s --help", name, key, strings.Join(words, " "))
		}
	}
	return nil
}

// fill sets the flags that were not given from the environment, or else from keys. A variable of a flag that may be
// given many times holds one value a line.
func fill(flags *pflag.FlagSet, prefix string, keys map[string]any) (err error) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed || err != nil || f.Name == "help" {
			return
		}
		name := prefix + variable(f.Name)
		if v, ok := os.LookupEnv(name); ok {
			if e := setFlag(f, v); e != nil {
				err = fmt.Errorf("%s=%q: %w", name, v, e)
			}
		} else if v, ok := keys[f.Name]; ok {
			if e := setFlag(f, v); e != nil {
				err = fmt.Errorf("config: %s: %w", f.Name, e)
			}
		}
	})
	return err
}

// setFlag sets a flag to a value of the config file or the environment.
func setFlag(f *pflag.Flag, v any) error {
	list, isList := v.([]any)
	many, takesMany := f.Value.(pflag.SliceValue)
	if text, ok := v.(string); ok && takesMany {
		list, isList = nil, true
		for line := range strings.Lines(text) {
			list = append(list, strings.TrimSuffix(line, "\n"))
		}
	}
	switch {
	case isList && !takesMany:
		return errors.New("takes one value, not a list")
	case !isList:
		return f.Value.Set(fmt.Sprint(v))
	}
	values := make([]string, len(list))
	for i, e := range list {
		values[i] = fmt.Sprint(e)
	}
	return many.Replace(values)
}

// variable writes the name of a flag or verb as a part of the name of an environment variable.
func variable(name string) string { return strings.ToUpper(strings.ReplaceAll(name, "-", "_")) }

// verbOf returns the words that name cmd, without the program's.
func verbOf(cmd *cobra.Command) (words []string) {
	for ; cmd.HasParent(); cmd = cmd.Parent() {
		words = append([]string{cmd.Name()}, words...)
	}
	return words
}
