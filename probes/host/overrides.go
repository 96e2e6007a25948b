package host

import (
	"fmt"
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
// program writes that, and puts it back.
func (h *Host) Overrides(unit, conf string) ([]Override, error) {
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
	last := map[string]Variable{}
	for _, v := range set {
		if option, ok := OptionOf(v.Name); ok {
			last[option] = v
		}
	}
	var out []Override
	add := func(option, key, want string) {
		if v, ok := last[option]; ok && v.Value != want && v.File != SystemUnits+"/"+unit {
			out = append(out, Override{Option: option, Key: key, Want: want, Set: v})
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
