package hands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"watchdog/probes/host"
	"watchdog/remedies"
)

// A program is one entry of the closed list: what a command's name stands for.
type program struct {
	paths []string // where it may be; the first that is there counts
	// argv are its words. In them $1 is the first argument, and "$@" alone
	// the arguments that have no place of their own. {NAME} is one of
	// [Hands.fill].
	argv []string
	// places are the patterns of the arguments that must be there. What
	// follows them is one or more of pattern more, or any number of options,
	// each with the pattern of its value, "" for none; or nothing.
	places  []string
	more    string
	options map[string]string
	// as is whom it runs as: a user, [owner], or root when empty.
	as      string
	env     []string // beside the fixed ones
	secrets []string // variables that may hold secrets
	port    string   // variable that gets a free port of ::1
	// private programs write secrets: what they create is for its owner only.
	private bool
	timeout time.Duration
	// holds programs have the lock of those who change the machine handed
	// down: one that outlives a killed caller keeps the next caller waiting,
	// which would otherwise do the same beside it.
	holds bool
	// explain turns the end of a failed run into a better error, or nil.
	explain func(*host.CommandError) error
}

// owner stands for whoever the program's file belongs to.
const owner = "(owner)"

// Run implements [remedies.Commands]. Its errors are refusals, before anything
// was run, or wrap a [*host.CommandError]; output comes with either.
func (w *Hands) Run(ctx context.Context, c remedies.Command) ([]byte, error) {
	p, err := choose(w.programs, c)
	if err != nil {
		return nil, err
	}
	fill, err := w.fill()
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", c.Name, err)
	}
	r, err := p.prepare(c, fill)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", c.Name, err)
	}
	if p.holds && w.o.Lock != nil {
		r.lock = w.o.Lock()
	}
	ctx, cancel := context.WithTimeoutCause(ctx, p.timeout, fmt.Errorf("ended after %s", p.timeout))
	defer cancel()
	out, err := r.do(ctx, w.grace)
	var failed *host.CommandError
	if errors.As(err, &failed) && p.explain != nil {
		if better := p.explain(failed); better != nil {
			err = fmt.Errorf("run %s: %w", c.Name, better)
		}
	}
	return out, err
}

// Check reports why c would be refused before anything is run: for tests of
// what asks for commands.
func Check(c remedies.Command) error {
	_, err := choose(programs, c)
	return err
}

// choose finds a command's entry and holds the command against it.
func choose(list map[string]program, c remedies.Command) (program, error) {
	p, ok := list[c.Name]
	if !ok {
		return p, fmt.Errorf("run %s: not on the list of commands", c.Name)
	}
	if err := p.check(c); err != nil {
		return p, fmt.Errorf("run %s: %w", c.Name, err)
	}
	return p, nil
}

// check holds a command against its entry.
func (p program) check(c remedies.Command) error {
	n := len(p.places)
	if len(c.Args) < n {
		return fmt.Errorf("%d arguments are too few", len(c.Args))
	}
	for i, arg := range c.Args[:n] {
		if err := fits(p.places[i], arg); err != nil {
			return err
		}
	}
	if err := p.checkRest(c.Args[n:]); err != nil {
		return err
	}
	for name := range c.Env {
		if !slices.Contains(p.secrets, name) {
			return fmt.Errorf("variable %s is not one it takes", name)
		}
	}
	return nil
}

func (p program) checkRest(rest []string) error {
	if p.more != "" && len(rest) == 0 {
		return errors.New("no arguments are too few")
	}
	for len(rest) > 0 {
		word := rest[0]
		pattern, known := p.options[word]
		switch {
		case p.more != "":
			pattern = p.more
		case !known:
			return fmt.Errorf("argument %q is not one it takes", word)
		default:
			rest = rest[1:]
			if pattern == "" {
				continue
			}
			if len(rest) == 0 {
				return fmt.Errorf("option %s has no value", word)
			}
		}
		if err := fits(pattern, rest[0]); err != nil {
			return err
		}
		rest = rest[1:]
	}
	return nil
}

// fits holds one argument against its pattern. No pattern takes "..".
func fits(pattern, arg string) error {
	if !regexp.MustCompile(`\A(?:`+pattern+`)\z`).MatchString(arg) || strings.Contains(arg, "..") {
		return fmt.Errorf("argument %q is not of the form it takes", arg)
	}
	return nil
}

// prepare makes the process out of the entry.
func (p program) prepare(c remedies.Command, fill *strings.Replacer) (*process, error) {
	file, info, err := find(p.paths, fill)
	if err != nil {
		return nil, err
	}
	r := &process{name: c.Name, file: file, stdin: c.Stdin, umask: 0o022}
	if p.private {
		r.umask = 0o077
	}
	if err := r.be(fill.Replace(p.as), info); err != nil {
		return nil, err
	}
	r.argv = p.words(c.Args, fill)
	for _, e := range p.env {
		r.env = append(r.env, fill.Replace(e))
	}
	for name, secret := range c.Env {
		r.env = append(r.env, name+"="+secret.Reveal())
		r.secrets = append(r.secrets, secret)
	}
	if p.port != "" {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		r.env = append(r.env, p.port+"="+strconv.Itoa(port))
	}
	return r, nil
}

var placeholder = regexp.MustCompile(`\$[1-9]`)

func (p program) words(args []string, fill *strings.Replacer) []string {
	var argv []string
	for _, word := range p.argv {
		if word == "$@" {
			argv = append(argv, args[len(p.places):]...)
			continue
		}
		argv = append(argv, placeholder.ReplaceAllStringFunc(fill.Replace(word), func(place string) string {
			return args[place[1]-'1']
		}))
	}
	return argv
}

// fill knows what the words of the list leave to the machine. It is read anew:
// what was not installed at the start may be now.
func (w *Hands) fill() (*strings.Replacer, error) {
	facts, err := host.ReadFacts(w.h.FS)
	if err != nil {
		return nil, err
	}
	l := facts.Layout
	return strings.NewReplacer(
		"{keycloak}", w.o.KeycloakHome, "{keycloak-conf}", w.o.KeycloakConf, "{keycloak-user}", w.o.KeycloakUser,
		"{java}", l.JavaHome,
		"{postgres-bin}", l.PostgresBin, "{postgres-socket}", l.PostgresSock,
		"{postgres-port}", strconv.Itoa(cmp.Or(l.PostgresPort, 5432)),
	), nil
}

// find returns the first of the candidates that is there.
func find(paths []string, fill *strings.Replacer) (string, fs.FileInfo, error) {
	for _, file := range paths {
		file = fill.Replace(file)
		info, err := os.Stat(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && !info.Mode().IsRegular() {
			err = fmt.Errorf("%s is not a file", file)
		}
		return file, info, err
	}
	return "", nil, fmt.Errorf("%s is not installed: %w", fill.Replace(strings.Join(paths, " or ")), fs.ErrNotExist)
}
