package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"watchdog/probes/format/properties"
)

// An Override is a variable that counts more to Keycloak than its configuration
// file, and says otherwise.
type Override struct {
	// Option is the variable as Keycloak's guide has it: "KC_HOSTNAME".
	Option string
	// Key and Want are what the file says. Key is empty where the variable
	// names another file altogether.
	Key, Want string
	// Set is what counts: of several the last.
	Set Variable
	// Running says that no file sets it any more, and the server still runs
	// with it: Set.File is its environment, below /proc.
	Running bool
}

// otherFile is the variable that names a configuration file in place of the
// usual one.
const otherFile = "KC_CONFIG_FILE"

// OptionOf returns the option that a variable gives Keycloak: KCRAW_ is as KC_,
// its value taken as it stands. It is in
// the form of [Override].
func OptionOf(variable string) (string, bool) {
	for _, prefix := range []string{"KC_", "KCRAW_"} {
		if rest, ok := strings.CutPrefix(variable, prefix); ok {
			return "KC_" + rest, true
		}
	}
	return "", false
}

var notInNames = regexp.MustCompile(`[^A-Z0-9]`)

// variableOf is the variable of a key: "hostname-admin" is KC_HOSTNAME_ADMIN.
func variableOf(key string) string {
	return "KC_" + notInNames.ReplaceAllString(strings.ToUpper(key), "_")
}

// Overrides lists the variables of unit that override the Keycloak configuration
// file at conf, by option. One that says what the file says does not, nor does
// one that the file is silent about.
//
// What stands in the unit's own file below [SystemUnits] is left out: the
// program writes that, and puts it back. What the files set counts from the next
// start on, what the running server was started with until then; who may not
// read that judges by the files alone.
func (h *Host) Overrides(ctx context.Context, unit, conf string) ([]Override, error) {
	data, err := h.FS.ReadFile(conf)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", conf, err)
	}
	file, err := properties.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", conf, err)
	}
	set, err := h.Variables(unit)
	if err != nil {
		return nil, err
	}
	running, err := h.environ(ctx, unit)
	if err != nil {
		return nil, err
	}
	last, now := options(set), options(running)
	var out []Override
	add := func(option, key, want string) {
		v, ok := last[option]
		r, runs := now[option]
		switch {
		case ok && v.File == SystemUnits+"/"+unit:
		case ok && v.Value != want:
			out = append(out, Override{Option: option, Key: key, Want: want, Set: v})
		case runs && r.Value != want:
			out = append(out, Override{Option: option, Key: key, Want: want, Set: r, Running: true})
		}
	}
	for _, key := range file.Keys() {
		want, _ := file.Get(key)
		add(variableOf(key), key, want)
	}
	add(otherFile, "", conf)
	slices.SortFunc(out, func(a, b Override) int { return strings.Compare(a.Option, b.Option) })
	return out, nil
}

// options are the variables that give Keycloak an option, by option.
func options(set []Variable) map[string]Variable {
	out := map[string]Variable{}
	for _, v := range set {
		if option, ok := OptionOf(v.Name); ok {
			out[option] = v
		}
	}
	return out
}

// environ lists what a unit's main process was started with; nothing where it
// does not run, or may not be looked at.
func (h *Host) environ(ctx context.Context, unit string) ([]Variable, error) {
	u, err := h.Init.Unit(ctx, unit)
	if err != nil || u.PID == 0 {
		return nil, err
	}
	name := fmt.Sprintf("/proc/%d/environ", u.PID)
	data, err := h.FS.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the environment of %s: %w", unit, err)
	}
	var out []Variable
	for set := range strings.SplitSeq(string(data), "\x00") {
		if key, value, ok := strings.Cut(set, "="); ok {
			out = append(out, Variable{Name: key, Value: value, File: name})
		}
	}
	return out, nil
}
