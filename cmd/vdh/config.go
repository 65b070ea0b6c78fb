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

// configure fills the flags that were not given from the environment and the config file, in this order, and checks
// that the file has no key that is not a flag of some verb.
func (a *app) configure(cmd *cobra.Command) error {
	name, err := configFile()
	if err != nil {
		return err
	}
	keys := map[string]any{}
	b, err := os.ReadFile(name)
	if err == nil {
		err = toml.Unmarshal(b, &keys)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("config %s: %w", name, err)
	}
	for key := range keys {
		if !knownFlag(cmd.Root(), key) {
			return fmt.Errorf("config %s: %q is not a flag of any command", name, key)
		}
	}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Changed || err != nil && !errors.Is(err, fs.ErrNotExist) || f.Name == "help" {
			return
		}
		variable := "VDH_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if v, ok := os.LookupEnv(variable); ok {
			if e := f.Value.Set(v); e != nil {
				err = fmt.Errorf("%s=%q: %w", variable, v, e)
			}
			return
		}
		if v, ok := keys[f.Name]; ok {
			if e := setFlag(f, v); e != nil {
				err = fmt.Errorf("config %s: %s: %w", name, f.Name, e)
			}
		}
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return err
}

// setFlag sets a flag to a value of the config file; a list sets it once for each element.
func setFlag(f *pflag.Flag, v any) error {
	if list, ok := v.([]any); ok {
		for _, e := range list {
			if err := f.Value.Set(fmt.Sprint(e)); err != nil {
				return err
			}
		}
		return nil
	}
	return f.Value.Set(fmt.Sprint(v))
}

// knownFlag reports whether any command below cmd has a flag of this name.
func knownFlag(cmd *cobra.Command, name string) bool {
	if cmd.Flags().Lookup(name) != nil || cmd.PersistentFlags().Lookup(name) != nil {
		return true
	}
	for _, sub := range cmd.Commands() {
		if knownFlag(sub, name) {
			return true
		}
	}
	return false
}
