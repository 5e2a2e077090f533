package main

import (
	"fmt"
	"os"
	"strings"

	"hookflow/providers"
	"hookflow/samples"

	"github.com/spf13/cobra"
)

// The generated part of docs/providers.md stands between these lines.
const (
	docsBegin = "<!-- What follows is generated: go run ./cmd/hookflow providers docs docs/providers.md -->"
	docsEnd   = "<!-- end of what is generated -->"
)

func newProvidersDocsCommand(env environment) *cobra.Command {
	cmd := quiet(&cobra.Command{
		Use: "docs FILE", Short: "Write what is known of every provider into a page of the documentation", Args: exactly(1), Hidden: true,
	})
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		text, err := os.ReadFile(args[0])
		if err != nil {
			return failure("%v", err)
		}
		page, err := withProviders(string(text))
		if err != nil {
			return failure("%s: %v", args[0], err)
		}
		return os.WriteFile(args[0], []byte(page), 0o644)
	}
	return cmd
}

// withProviders replaces the generated part of a page.
func withProviders(page string) (string, error) {
	before, rest, begins := strings.Cut(page, docsBegin)
	_, after, ends := strings.Cut(rest, docsEnd)
	if !begins || !ends {
		return "", fmt.Errorf("it lacks the line %q or %q", docsBegin, docsEnd)
	}
	return before + docsBegin + "\n\n" + providerDocs() + "\n" + docsEnd + after, nil
}

// providerDocs is a table of all kinds and a section for each that has no page of its own above it.
func providerDocs() string {
	var b strings.Builder
	b.WriteString("| Provider | Name | Secret | Signed | Event id |\n|---|---|---|---|---|\n")
	for _, k := range providers.Kinds() {
		id := k.ID
		if k.UnsignedID {
			id += " (unsigned)"
		}
		fmt.Fprintf(&b, "| [%s](#%s) | `%s` | `%s` | %s | %s |\n", k.Title, anchor(k), k.Name, k.Variable, cell(k.Signs()), cell(id))
	}
	for _, k := range providers.Kinds() {
		if !chapter[k.Name] {
			b.WriteString("\n")
			writeKind(&b, k)
		}
	}
	return b.String()
}

// chapter are the kinds with hand-written chapters.
var chapter = map[string]bool{"stripe": true, "twilio": true, "vapi": true}

// anchor is the fragment that GitHub makes of a heading.
func anchor(k *providers.Kind) string {
	if chapter[k.Name] {
		return k.Name
	}
	return "provider-" + k.Name
}

// cell keeps a text inside its cell of a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

func writeKind(b *strings.Builder, k *providers.Kind) {
	fmt.Fprintf(b, "<a id=\"%s\"></a>\n### %s\n\n", anchor(k), k.Title)
	for i, step := range k.Steps("https://<your host>/webhooks/"+k.Name, "`"+k.Variable+"`") {
		fmt.Fprintf(b, "%d. %s\n", i+1, step)
	}
	b.WriteString("\n")
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(b, "- %s: %s\n", name, text)
		}
	}
	line("Secret", "`"+k.Variable+"`, "+k.Secret)
	for _, o := range k.Options {
		if o.Variable != "" {
			line("Option", "`"+o.Variable+"`, "+o.What)
		}
	}
	line("Signed", k.Signs())
	if k.Weak != "" {
		line("Off unless `allow_weak` is set", k.Weak)
	}
	id := k.ID
	if k.UnsignedID {
		id += ". No signature covers that header: it recognises the sender's own retries, not somebody who replays a captured request under another id"
	}
	line("Event id", id)
	line("Identity", k.Identity.InWords())
	kind := k.Type
	if k.UnsignedType {
		kind += ". No signature covers that header: " + unsignedType(k)
	}
	line("Type", kind)
	line("Handshake", k.Handshake())
	line("Answer", answerInWords(k))
	line("Retries", k.Retries)
	for _, note := range k.Notes {
		fmt.Fprintf(b, "- %s\n", note)
	}
	if names := samples.ListOf(k); len(names) > 0 {
		line("Try it", "`hookflow send "+k.Name+" "+names[0]+"`")
	}
	line("Their page", k.Docs)
}
