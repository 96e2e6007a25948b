package pgsql

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"
)

// Nothing that the environment or a home directory says may change who logs in,
// where, and what the session calls.
func TestConfig(t *testing.T) {
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, ".pgpass"), []byte("*:*:*:*:planted\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"HOME": home, "PGHOST": "planted", "PGPORT": "1", "PGDATABASE": "planted", "PGUSER": "planted", "PGPASSWORD": "planted",
		"PGAPPNAME": "planted", "PGOPTIONS": "-c search_path=planted", "PGCONNECT_TIMEOUT": "1", "PGTARGETSESSIONATTRS": "read-write",
	} {
		t.Setenv(name, value)
	}
	refused := errors.New("refused")
	var dialled []string
	c, err := Config("/run/pg", 5433, "keycloak", func(_ context.Context, network, address string) (net.Conn, error) {
		dialled = append(dialled, network+" "+address)
		return nil, refused
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.User != "postgres" || c.Database != "keycloak" || c.Password != "" {
		t.Errorf("logs in to %s as %s with %q", c.Database, c.User, c.Password)
	}
	if diff := cmp.Diff(map[string]string{"application_name": "watchdog", "search_path": "pg_catalog"}, c.RuntimeParams); diff != "" {
		t.Errorf("settings of the session (-want +got):\n%s", diff)
	}
	if c.ConnectTimeout != 0 || c.ValidateConnect != nil || c.TLSConfig != nil {
		t.Errorf("it has a timeout of %s, a check of the server (%t) or TLS (%t) of the environment's", c.ConnectTimeout, c.ValidateConnect != nil, c.TLSConfig != nil)
	}
	if _, err := pgconn.ConnectConfig(t.Context(), c); !errors.Is(err, refused) {
		t.Errorf("connecting: %v", err)
	}
	if diff := cmp.Diff([]string{"unix /run/pg/.s.PGSQL.5433"}, dialled); diff != "" {
		t.Errorf("dialled (-want +got):\n%s", diff)
	}
}

func TestText(t *testing.T) {
	got, err := text([]any{"a'b", nil, true, -7, int64(1) << 40, uint16(5432), 0.5})
	if err != nil {
		t.Fatal(err)
	}
	want := [][]byte{[]byte("a'b"), nil, []byte("true"), []byte("-7"), []byte("1099511627776"), []byte("5432"), []byte("0.5")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := text([]any{"a", []int{1}}); err == nil || !strings.Contains(err.Error(), "argument 2: type []int") {
		t.Errorf("an argument without text: %v", err)
	}
}
