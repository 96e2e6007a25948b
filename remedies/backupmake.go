package remedies

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"watchdog/probes/host"
)

// undoneTime bounds the removal of a backup that did not come about.
const undoneTime = time.Minute

// Create makes a backup, proves it, gives it its name and deletes what is past
// its time. One that can't be proved is no backup: it is removed, and the error
// says what was wrong with it.
func (r Backup) Create(ctx context.Context, w Hands, h *host.Host) (BackupInfo, error) {
	b := BackupInfo{Manifest: host.BackupManifest{Made: h.Now().UTC().Truncate(time.Second), Files: map[string]host.BackupFile{}}}
	b.Path = r.Dir + "/backup-" + b.Manifest.Made.Format(host.BackupTime)
	part := b.Path + ".part"
	_ = r.Prune(ctx, w, h) // for the room; what can't be deleted is told of in the end
	for _, dir := range []string{path.Dir(r.Dir), r.Dir, part, part + "/realm"} {
		if err := ensureDirectory(ctx, w, h, dir); err != nil {
			return BackupInfo{}, err
		}
	}
	err := r.fill(ctx, w, h, part, &b.Manifest)
	if err == nil {
		_, err = w.Run(ctx, Command{Name: "backup-publish", Args: []string{part, b.Path}})
	}
	if err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoneTime)
		defer cancel()
		return BackupInfo{}, errors.Join(fmt.Errorf("make a backup: %w", err), removeBackup(ctx, w, part))
	}
	return b, r.Prune(ctx, w, h)
}

// ensureDirectory makes a directory that only root may enter, if there is none.
func ensureDirectory(ctx context.Context, w Hands, h *host.Host, dir string) error {
	n, err := h.FS.Node(dir)
	if err != nil || n != nil {
		return err
	}
	return w.Write(ctx, dir, nil, Directory("root", "root", 0o700))
}

// fill writes the files of a backup into dir and proves them.
func (r Backup) fill(ctx context.Context, w Hands, h *host.Host, dir string, m *host.BackupManifest) error {
	dump := dir + "/" + host.BackupDump
	if _, err := w.Run(ctx, Command{Name: "pg-dump", Args: []string{r.Database, dump}}); err != nil {
		return fmt.Errorf("dump database %s: %w", r.Database, err)
	}
	if err := proveDump(ctx, w, dump); err != nil {
		return fmt.Errorf("prove the dump of database %s: %w", r.Database, err)
	}
	measured, err := measure(ctx, w, dump)
	if err != nil {
		return fmt.Errorf("measure the dump: %w", err)
	}
	m.Files[host.BackupDump] = measured
	exported, err := r.export(ctx, w, h)
	if err != nil {
		return fmt.Errorf("export realm %s: %w", r.Realm, err)
	}
	for name, data := range exported {
		file := "realm/" + name
		if err := w.Write(ctx, dir+"/"+file, nil, File(data, "root", "root", 0o600)); err != nil {
			return err
		}
		sum := sha256.Sum256(data)
		m.Files[file] = host.BackupFile{Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:])}
	}
	m.Verified = true
	text, err := renderManifest(*m)
	if err != nil {
		return err
	}
	return w.Write(ctx, dir+"/manifest.json", nil, File(text, "root", "root", 0o600))
}

// realmData is how pg_restore lists the table that every Keycloak has rows in.
const realmData = " TABLE DATA public realm "

// proveDump reads a dump to its end. Its list of contents alone proves little:
// a dump whose end is missing has one too (measured on PostgreSQL 15).
func proveDump(ctx context.Context, w Hands, dump string) error {
	list, err := w.Run(ctx, Command{Name: "pg-restore-list", Args: []string{dump}})
	if err != nil {
		return err
	}
	if !strings.Contains(string(list), realmData) {
		return errors.New("it holds no realms: is this Keycloak's database?")
	}
	_, err = w.Run(ctx, Command{Name: "pg-restore-read", Args: []string{dump}})
	return err
}

// measure returns the size and hash of a file that is too large to be read
// here.
func measure(ctx context.Context, w Hands, file string) (host.BackupFile, error) {
	size, err := w.Run(ctx, Command{Name: "file-size", Args: []string{file}})
	if err != nil {
		return host.BackupFile{}, err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(size)), 10, 64)
	if err != nil {
		return host.BackupFile{}, fmt.Errorf("read its size: %w", err)
	}
	sum, err := w.Run(ctx, Command{Name: "file-sha256", Args: []string{file}})
	if err != nil {
		return host.BackupFile{}, err
	}
	if len(sum) < 2*sha256.Size {
		return host.BackupFile{}, fmt.Errorf("read its hash: %q is none", sum)
	}
	return host.BackupFile{Size: n, SHA256: string(sum[:2*sha256.Size])}, nil
}

// export has Keycloak export the realm, users in files of a few hundred each,
// and returns the files by name. Keycloak writes as its own user, so it does
// into a directory of that user's; nothing stays there.
func (r Backup) export(ctx context.Context, w Hands, h *host.Host) (map[string][]byte, error) {
	tree, err := r.Server.tree(h)
	if err != nil {
		return nil, err
	}
	dir := tree + "/data/watchdog-export"
	if err := clearDirectory(ctx, w, h, dir); err != nil { // of a killed run
		return nil, err
	}
	user := r.Server.User
	if err := w.Write(ctx, dir, nil, Directory(user, user, 0o700)); err != nil {
		return nil, err
	}
	files, err := r.exportTo(ctx, w, h, dir)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoneTime)
	defer cancel()
	return files, errors.Join(err, clearDirectory(ctx, w, h, dir))
}

func (r Backup) exportTo(ctx context.Context, w Hands, h *host.Host, dir string) (map[string][]byte, error) {
	out, err := w.Run(ctx, Command{Name: "kc-export-dir", Args: []string{dir, r.Realm}})
	if err != nil {
		return nil, errors.Join(err, complaint(out))
	}
	names, err := h.FS.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, name := range names {
		data, err := h.FS.ReadFile(dir + "/" + name)
		if err != nil {
			return nil, err
		}
		var head struct{ Realm string }
		if err := json.Unmarshal(data, &head); err != nil || head.Realm != r.Realm {
			return nil, fmt.Errorf("%s is not a part of it", name)
		}
		files[name] = data
	}
	if files[r.Realm+"-realm.json"] == nil {
		return nil, errors.New("Keycloak wrote none")
	}
	return files, nil
}

// clearDirectory removes a directory of plain files.
func clearDirectory(ctx context.Context, w Hands, h *host.Host, dir string) error {
	names, err := h.FS.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, name := range append(names, "") {
		file := path.Join(dir, name)
		n, err := h.FS.Node(file)
		if err != nil {
			return err
		}
		if err := w.Write(ctx, file, n, nil); err != nil {
			return err
		}
	}
	return nil
}
