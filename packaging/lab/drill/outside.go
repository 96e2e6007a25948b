package drill

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"watchdog/packaging/lab"
)

// outside does what befalls a host from beyond it: lab verbs, in their order.
func (r *Runner) outside(ctx context.Context, verbs []string) error {
	for _, line := range verbs {
		do, err := readVerb(line)
		if err == nil {
			err = do(ctx, r)
		}
		if err != nil {
			return fmt.Errorf("lab %s: %w", line, err)
		}
	}
	return nil
}

// A verb is one thing done to the lab.
type verb func(ctx context.Context, r *Runner) error

// readVerb reads a line as "watchdog lab" would.
func readVerb(line string) (verb, error) {
	words := strings.Fields(line)
	is := func(group, name string, least, most int) bool {
		return len(words) >= 2+least && len(words) <= 2+most && words[0] == group && words[1] == name
	}
	zone := func(edit func(z *lab.Zone) error) (verb, error) {
		return func(_ context.Context, r *Runner) error { return r.Lab.EditZone(edit) }, nil
	}
	switch {
	case is("dns", "set", 3, len(words)):
		return zone(func(z *lab.Zone) error { return z.Set(words[2], words[3], words[4:]) })
	case is("dns", "unset", 1, 2):
		return zone(func(z *lab.Zone) error { z.Unset(words[2], append(words, "")[3]); return nil })
	case is("dns", "mode", 1, 1) && lab.CheckDNSMode(words[2]) == nil:
		return zone(func(z *lab.Zone) error { z.Mode = words[2]; return nil })
	case is("net", "cut", 1, 1):
		return func(ctx context.Context, r *Runner) error { return r.Lab.Cut(ctx, words[2], 0) }, nil
	case is("net", "cut", 3, 3) && words[3] == "--port":
		port, err := strconv.Atoi(words[4])
		return func(ctx context.Context, r *Runner) error { return r.Lab.Cut(ctx, words[2], port) }, err
	case is("net", "join", 0, 1):
		return func(ctx context.Context, r *Runner) error { return r.Lab.Join(ctx, append(words, "")[2]) }, nil
	case is("net", "pull", 1, 1):
		return func(_ context.Context, r *Runner) error { return r.Lab.Pull(words[2]) }, nil
	case is("net", "plug", 1, 1):
		return func(_ context.Context, r *Runner) error { return r.Lab.Plug(words[2]) }, nil
	case is("net", "claim", 1, 1):
		return func(_ context.Context, r *Runner) error { return r.Lab.Claim(words[2]) }, nil
	case is("net", "yield", 1, 1):
		return func(_ context.Context, r *Runner) error { return r.Lab.Yield(words[2]) }, nil
	case len(words) > 3 && words[0] == "exec" && words[2] == "--":
		_, script, _ := strings.Cut(line, " -- ")
		return func(ctx context.Context, r *Runner) error {
			_, err := r.sh(ctx, words[1], script)
			return err
		}, nil
	}
	return nil, fmt.Errorf("there is no such verb in a drill")
}
