package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
// the excludes of a backup are no excludes of a restore.
func (a *app) configure(cmd *cobra.Command) error {
	name, err := configFile()
	if err != nil {
		return err
	}
	keys, err := readConfig(name, cmd.Root())
	if err != nil {
		return usage{fmt.Errorf("config %s: %w", name, err)}
	}
	verb := verbOf(cmd)
	own, _ := keys[verb].(map[string]any)
	err = fill(cmd.InheritedFlags(), "VDH_", keys)
	if err == nil {
		err = fill(cmd.LocalNonPersistentFlags(), "VDH_"+variable(verb)+"_", own)
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
		verb, _, err := root.Find([]string{key})
		table, isTable := v.(map[string]any)
		switch {
		case key == "store" && !isTable:
			if dir := fmt.Sprint(v); dir != swarmWord && !filepath.IsAbs(dir) {
				return nil, fmt.Errorf("store %q: give the whole path, since vdh is run from anywhere, or %q", dir, swarmWord)
			}
		case root.PersistentFlags().Lookup(key) != nil && !isTable:
		case !isTable:
			return nil, fmt.Errorf("%q is not a global flag; the flags of a verb stand in its table, like [backup]", key)
		case err != nil || verb == root:
			return nil, fmt.Errorf("[%s] is not a verb", key)
		}
		for flag := range table {
			if verb.LocalNonPersistentFlags().Lookup(flag) == nil {
				return nil, fmt.Errorf("[%s] %s: there is no such flag; see: vdh %s --help", key, flag, key)
			}
		}
	}
	return keys, nil
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

// verbOf returns the name of the verb that cmd is, or is a part of.
func verbOf(cmd *cobra.Command) string {
	for cmd.HasParent() && cmd.Parent().HasParent() {
		cmd = cmd.Parent()
	}
	return cmd.Name()
}
