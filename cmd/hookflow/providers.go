package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"hookflow/providers"
	"hookflow/samples"

	"github.com/spf13/cobra"
)

// newProvidersCommand returns "hookflow providers list|show". They tell of a server started in this folder; none is needed.
func newProvidersCommand(env environment) *cobra.Command {
	cmd := quiet(&cobra.Command{Use: "providers", Short: "Who may send webhooks, and what to set up there"})
	return family(env, cmd, newProvidersListCommand(env), newProvidersShowCommand(env), newProvidersDocsCommand(env))
}

// listed is one line of "providers list".
type listed struct {
	Name     string `json:"name"`
	On       bool   `json:"on"`
	Scheme   string `json:"scheme"`
	Variable string `json:"variable"`
	Title    string `json:"title"`
}

func newProvidersListCommand(env environment) *cobra.Command {
	var on bool
	cmd := quiet(&cobra.Command{
		Use: "list", Short: "List the providers, whether each is on, and the variable of its secret", Args: exactly(0),
		Long: "List the providers, whether each is on, and the variable of its secret. A provider is on when that variable is set,\n" +
			"or the one with _FILE behind it, which names a file that holds the secret.",
	})
	asJSON := outputFlag(cmd)
	cmd.Flags().BoolVar(&on, "on", false, "only those that are on")
	cmd.RunE = func(*cobra.Command, []string) error {
		inJSON, err := asJSON()
		if err != nil {
			return err
		}
		setups, err := env.setups()
		if err != nil {
			return failure("%v", err)
		}
		all := []listed{}
		for _, s := range setups {
			l := listed{Name: s.Name, On: len(env.webhookSecrets(s.Variable)) > 0, Scheme: s.Kind.Name, Variable: s.Variable, Title: s.Kind.Title}
			if l.On || !on {
				all = append(all, l)
			}
		}
		if inJSON {
			return json.NewEncoder(env.stdout).Encode(map[string]any{"providers": all})
		}
		w := tabwriter.NewWriter(env.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "NAME\tSTATE\tSCHEME\tVARIABLE")
		for _, l := range all {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", l.Name, onOff(l.On), l.Scheme, l.Variable)
		}
		return w.Flush()
	}
	return cmd
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

func newProvidersShowCommand(env environment) *cobra.Command {
	cmd := quiet(&cobra.Command{Use: "show NAME", Short: "Show what to set up at a provider, and what comes from it", Args: exactly(1)})
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		s, err := env.setup(args[0])
		if err != nil {
			return err
		}
		env.showProvider(s)
		return nil
	}
	return cmd
}

// showProvider prints a provider for a person who sets it up.
func (env environment) showProvider(s providers.Setup) {
	k := s.Kind
	secrets := len(env.webhookSecrets(s.Variable))
	url := strings.TrimRight(env.webhookURL(), "/") + webhooksPath + s.Name
	fmt.Fprintf(env.stdout, "%s (%s) is %s\n\n", k.Title, s.Name, onOff(secrets > 0))
	line := func(name, format string, args ...any) {
		if text := fmt.Sprintf(format, args...); text != "" {
			fmt.Fprintf(env.stdout, "%-10s %s\n", name, text)
		}
	}
	line("URL", "%s", url)
	line("Variable", "%s, or %s_FILE naming a file: %s (%d set)", s.Variable, s.Variable, k.Secret, secrets)
	for _, o := range k.Options {
		if o.Variable != "" && !s.Own {
			line("Option", "%s: %s", o.Variable, o.What)
		} else {
			line("Option", "%s, in the configuration file: %s", o.Name, o.What)
		}
	}
	line("Scheme", "%s", plainText(k.Signs()))
	if source, err := env.source(s); err == nil {
		t := source.Traits()
		line("Body", "%s, at most %d KiB", strings.Join(t.MediaTypes, " or "), t.MaxBody>>10)
	}
	line("Event id", "%s", plainText(k.ID))
	if k.UnsignedID {
		line("", "no signature covers the header of the id: good against the sender's retries, not against replays")
	}
	line("Identity", "%s", plainText(k.Identity.InWords()))
	line("Type", "%s", plainText(k.Type))
	if k.UnsignedType {
		line("", "no signature covers the header of the type: %s", unsignedType(k))
	}
	line("Handshake", "%s", plainText(k.Handshake()))
	if answer := answerInWords(k); answer != "" || k.Declaration != nil {
		line("Answer", "%s", plainText(cmp.Or(answer, "200, the id, the key and the outcome as JSON")))
	}
	line("Retries", "%s", k.Retries)
	line("Docs", "%s", k.Docs)
	if steps := k.Steps(url, s.Variable); len(steps) > 0 {
		fmt.Fprintf(env.stdout, "\nWhat to set there\n")
		for i, step := range steps {
			fmt.Fprintf(env.stdout, "  %d. %s\n", i+1, plainText(step))
		}
	}
	for i, note := range k.Notes {
		if i == 0 {
			fmt.Fprintln(env.stdout)
		}
		fmt.Fprintf(env.stdout, "Note: %s\n", plainText(note))
	}
	if names := samples.ListOf(k); len(names) > 0 {
		fmt.Fprintf(env.stdout, "\nTry it: hookflow send %s %s\n", s.Name, names[0])
	}
}

// plainText drops the marks of Markdown.
func plainText(text string) string { return strings.ReplaceAll(text, "`", "") }

// answerInWords says what an accepted event is answered with, "" for the JSON of the contract.
func answerInWords(k *providers.Kind) string {
	if k.Declaration == nil || k.Declaration.Answer == nil {
		return ""
	}
	a := k.Declaration.Answer
	switch status := max(a.Status, 200); {
	case len(a.Body) == 0:
		return fmt.Sprintf("%d, empty", status)
	default:
		return fmt.Sprintf("%d `%s`, %s", status, a.Body, a.ContentType)
	}
}

// unsignedType says what follows from a type that no signature covers.
func unsignedType(k *providers.Kind) string {
	if k.Declaration != nil && k.Declaration.Bodies != nil {
		return "a body that cannot be the header's, by what the sender documents, has the type `unknown`"
	}
	return "whoever holds one signed request can send its body as another type"
}
