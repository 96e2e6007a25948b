package remedies

import (
	"regexp"
	"slices"
	"strings"

	"watchdog/probes/format/unitfile"
	"watchdog/probes/host"
)

// bootstrapName is a variable that once made Keycloak's first administrator.
const bootstrapName = `(?:KC_BOOTSTRAP_[A-Z_]+|KEYCLOAK_ADMIN(?:_PASSWORD)?)`

var (
	bootstrapVariable = regexp.MustCompile(`^` + bootstrapName + `$`)
	// bootstrapLine is one set in a file of variables, or in a shell's.
	bootstrapLine = regexp.MustCompile(`^\s*(?:export\s+)?` + bootstrapName + `=(.*)`)
)

// withoutBootstrap takes bootstrap credentials out of Keycloak's drop-ins, of
// units that the host's own one hides, and of its files of variables. What else
// stands there stays. It tells apart the edits of units, which the service
// manager has to read again.
func withoutBootstrap(h *host.Host) (units, files []Edit, err error) {
	variables := []string{"/etc/default/keycloak", "/etc/conf.d/keycloak"}
	unit := h.Facts.Layout.Unit("keycloak")
	names, err := h.UnitFiles(unit)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		if name == systemUnits+"/"+unit {
			continue // written anew by its own remedy
		}
		edits, text, err := stripped(h, name, stripUnit)
		if err != nil {
			return nil, nil, err
		}
		units = append(units, edits...)
		for _, file := range host.EnvironmentFiles(text) {
			if !slices.Contains(variables, file) {
				variables = append(variables, file)
			}
		}
	}
	for _, name := range variables {
		edits, _, err := stripped(h, name, stripVariables)
		if err != nil {
			return nil, nil, err
		}
		files = append(files, edits...)
	}
	return units, files, nil
}

// stripped returns the edits that strip a file, if that changes it, and its
// text as it is.
func stripped(h *host.Host, name string, strip func(string) (string, []host.Secret)) ([]Edit, string, error) {
	t, err := readText(h, name)
	if err != nil || t.old == nil {
		return nil, "", err
	}
	now := string(t.data)
	kept, secrets := strip(now)
	if kept == now {
		return nil, now, nil
	}
	n := *t.old
	n.Data = []byte(kept)
	return []Edit{Write{Path: t.path, Old: t.old, New: &n, Hide: secrets}}, now, nil
}

// stripUnit removes bootstrap variables from the Environment= lines of a unit,
// and returns what they were set to.
func stripUnit(text string) (string, []host.Secret) {
	kept, dropped := unitfile.Without(text, bootstrapVariable.MatchString)
	return kept, valuesOf(dropped)
}

// valuesOf are what variables were set to.
func valuesOf(dropped []unitfile.Assignment) []host.Secret {
	var out []host.Secret
	for _, a := range dropped {
		out = append(out, host.NewSecret(a.Value))
	}
	return out
}

// stripVariables removes the lines that set bootstrap variables.
func stripVariables(text string) (string, []host.Secret) {
	var kept strings.Builder
	var values []host.Secret
	for line := range strings.Lines(text) {
		m := bootstrapLine.FindStringSubmatch(line)
		if m == nil {
			kept.WriteString(line)
			continue
		}
		values = append(values, host.NewSecret(strings.Trim(m[1], `"'`)))
	}
	return kept.String(), values
}
