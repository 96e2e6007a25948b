package unitfile

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const whole = `# Environment=NO=1
[Unit]
Environment=NO=2
[Service]
Environment=A=1 "B=two words" 'C=it is' D="half quoted"
 Environment = E=a\sb F=100%% \
   G=3 \
# not=here
   H=4
Environment=
EnvironmentFile=-/etc/default/x
EnvironmentFile=
Environment="I=x \
y" J
Environment=K
[Install]
Environment=NO=3
`

func TestStatements(t *testing.T) {
	want := []Statement{
		{Line: 5, Sets: []Assignment{{5, "A", "1"}, {5, "B", "two words"}, {5, "C", "it is"}, {5, "D", "half quoted"}}},
		{Line: 6, Sets: []Assignment{{6, "E", "a b"}, {6, "F", "100%"}, {7, "G", "3"}, {9, "H", "4"}}},
		{Line: 10},
		{Line: 11, OfFile: true, File: "/etc/default/x"},
		{Line: 12, OfFile: true},
		{Line: 13, Sets: []Assignment{{13, "I", "x  y"}}},
	}
	got := Statements(whole)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	for i, forgets := range []bool{false, false, true, false, true, false} {
		if got[i].Forgets() != forgets {
			t.Errorf("line %d forgets what was before it: %t", got[i].Line, !forgets)
		}
	}
}

func TestWithout(t *testing.T) {
	const head = "[Service]\n"
	for name, c := range map[string]struct{ text, want string }{
		"alone":                {"Environment=X=1\nLimitCORE=0\n", "LimitCORE=0\n"},
		"quoted":               {"Environment=\"X=1 2\"\n", ""},
		"first":                {"Environment=X=1  A=1\n", "Environment=A=1\n"},
		"last":                 {"Environment= A=1  X=1 \n", "Environment= A=1 \n"},
		"middle":               {"Environment='A=1'  X=1\tB=2\n", "Environment='A=1'\tB=2\n"},
		"twice":                {"Environment=X=1 A=1 X=2\n", "Environment=A=1\n"},
		"in a second line":     {"Environment=A=1 \\\n  X=1 \\\n  B=1\n", "Environment=A=1 \\\n  B=1\n"},
		"in the last line":     {"Environment=A=1 \\\n  X=1\nB=C\n", "Environment=A=1\nB=C\n"},
		"in the first of some": {"Environment=X=1 \\\n  A=1\n", "Environment=A=1\n"},
		"all of some lines":    {"Environment=X=1 \\\n# why\n  X=2\nB=C\n", "B=C\n"},
		"another section":      {"[Unit]\nEnvironment=X=1\n", "[Unit]\nEnvironment=X=1\n"},
		"a comment":            {"#Environment=X=1\n; Environment=X=1\n", "#Environment=X=1\n; Environment=X=1\n"},
		"another name":         {"Environment=XY=1 Y=X=1\n", "Environment=XY=1 Y=X=1\n"},
		"its like in a value":  {"Environment=\"A=1 X=1\"\n", "Environment=\"A=1 X=1\"\n"},
		"no ending":            {"Environment=X=1 A=1", "Environment=A=1"},
		"Windows":              {"Environment=A=1 X=1\r\n", "Environment=A=1\r\n"},
		"a file of them":       {"EnvironmentFile=/etc/X=1\n", "EnvironmentFile=/etc/X=1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, dropped := Without(head+c.text, func(n string) bool { return n == "X" })
			if diff := cmp.Diff(head+c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if (len(dropped) > 0) != (c.want != c.text) {
				t.Errorf("dropped %v", dropped)
			}
		})
	}
}

func TestVariables(t *testing.T) {
	got := Variables("# A=1\n;B=2\n\nC=3\n D = \"four five\" \nE='6'\nF=\"\nnothing\n")
	want := []Assignment{{4, "C", "3"}, {5, "D", "four five"}, {6, "E", "6"}, {7, "F", `"`}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// FuzzWithout: whatever the text, what is not to be dropped stays set as it was,
// what is dropped is gone, and nothing dropped means nothing changed.
func FuzzWithout(f *testing.F) {
	f.Add(whole)
	f.Add("[Service]\nEnvironment=X=1 \\\n#\nA=1 \\")
	f.Fuzz(func(t *testing.T, text string) {
		drop := func(n string) bool { return strings.HasPrefix(n, "X") }
		kept, dropped := Without(text, drop)
		if len(dropped) == 0 && kept != text {
			t.Fatalf("changed to %q", kept)
		}
		var want []Assignment
		for _, s := range Statements(text) {
			for _, a := range s.Sets {
				if !drop(a.Name) {
					want = append(want, a)
				}
			}
		}
		var got []Assignment
		for _, s := range Statements(kept) {
			got = append(got, s.Sets...)
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Assignment{}, "Line"), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%q became %q (-want +got):\n%s", text, kept, diff)
		}
	})
}
