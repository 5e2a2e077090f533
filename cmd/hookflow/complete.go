package main

import (
	"maps"
	"slices"

	"hookflow/event"
	"hookflow/samples"

	"github.com/spf13/cobra"
)

// words completes a flag by fixed words.
func words(all ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(all, cobra.ShellCompDirectiveNoFileComp)
}

// providerNames completes the sources that the configuration of this folder names.
func (env environment) providerNames(_ *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	setups, _ := env.setups() // what is wrong with the configuration is said where it is used
	var names []string
	for _, s := range setups {
		names = append(names, s.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// sampleNames completes a provider and a type that there is a sample of.
func (env environment) sampleNames(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	switch len(args) {
	case 0:
		return env.providerNames(cmd, args, typed)
	case 1:
		if setup, err := env.setup(args[0]); err == nil {
			return samples.ListOf(setup.Kind), cobra.ShellCompDirectiveNoFileComp
		}
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// completions are the words of the flags that have some, whatever command they belong to.
func completions(env environment) map[string]cobra.CompletionFunc {
	var statuses []string
	for _, s := range event.Statuses {
		statuses = append(statuses, string(s))
	}
	return map[string]cobra.CompletionFunc{
		"status": words(statuses...), "provider": env.providerNames, "output": words("table", "json"),
		"order": words("newest", "oldest"), "by": words(event.Groups...), "bucket": words("1m", "5m", "15m", "1h", "1d"),
		"from": words(string(event.FromFailure), string(event.FromStart)), "only": words("api", "worker"),
	}
}

// complete gives every command below cmd the words of its flags. What no command completes, a file name does not either.
func complete(env environment, cmd *cobra.Command) {
	all := completions(env)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if cmd.LocalNonPersistentFlags().Lookup(name) != nil || cmd.PersistentFlags().Lookup(name) != nil {
			_ = cmd.RegisterFlagCompletionFunc(name, all[name]) // fails for a flag that has one already
		}
	}
	for _, below := range cmd.Commands() {
		complete(env, below)
	}
}
