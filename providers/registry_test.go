package providers

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every kind that a file declares stands in the list.
func TestRegistry_HoldsEveryKind(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile("registry.go")
	require.NoError(t, err)
	files, err := os.ReadDir(".")
	require.NoError(t, err)
	found := 0
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(gotoken.NewFileSet(), f.Name(), nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, name := range kindsIn(tree) {
			found++
			require.Contains(t, string(list), "\t&"+name+",\n",
				"%s declares the kind %s: add the line &%s, to own in providers/registry.go", f.Name(), name, name)
		}
	}
	require.Len(t, own, found)
}

func kindsIn(tree *ast.File) []string {
	var names []string
	for _, d := range tree.Decls {
		declared, ok := d.(*ast.GenDecl)
		if !ok || declared.Tok != gotoken.VAR {
			continue
		}
		for _, s := range declared.Specs {
			v := s.(*ast.ValueSpec)
			for i, value := range v.Values {
				if literal, ok := value.(*ast.CompositeLit); ok {
					if typ, ok := literal.Type.(*ast.Ident); ok && typ.Name == "Kind" {
						names = append(names, v.Names[i].Name)
					}
				}
			}
		}
	}
	return names
}

// What a person must know is there for each kind, and no two share a name or a variable.
func TestRegistry_KindsAreComplete(t *testing.T) {
	t.Parallel()
	name, variable := regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`), regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)
	seen := map[string]bool{}
	for _, k := range Kinds() {
		require.Regexp(t, name, k.Name)
		require.Regexp(t, variable, k.Variable, k.Name)
		require.False(t, seen[k.Name] || seen[k.Variable], "%s: its name or %s is taken", k.Name, k.Variable)
		seen[k.Name], seen[k.Variable] = true, true
		require.Regexp(t, `^https://`, k.Docs, k.Name)
		for what, text := range map[string]string{"Title": k.Title, "Secret": k.Secret, "ID": k.ID, "Type": k.Type} {
			require.NotEmpty(t, text, "%s has no %s", k.Name, what)
		}
		require.NotEmpty(t, k.Dashboard, "%s says nothing of what to set at the sender", k.Name)
		require.NotNil(t, k.Build, k.Name)
		require.Same(t, k, KindOf(k.Name))
	}
	require.Nil(t, KindOf("nobody"))
}
