package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// openSite reads and checks a site file.
func openSite(path string, strict bool) (*siteForm, []byte, error) {
	data, err := readSite(path, strict, siteOwners())
	if err != nil {
		return nil, nil, siteFileError(path, err)
	}
	f, d := parseSite(path, data, bookModes())
	return f, data, d.err()
}

// siteFileError is a problem with the file as a whole.
func siteFileError(path string, err error) error {
	return usageError{siteError{file: path, problems: []siteProblem{{Message: err.Error()}}, cause: err}}
}

// readSite reads a site file's bytes. Strict wants that only root could have
// written it. Errors say what is wrong without the file's name.
func readSite(path string, strict bool, owners siteOwnership) ([]byte, error) {
	open := path
	if strict {
		resolved, err := owners.resolve(path)
		if err != nil {
			return nil, siteOpenError(err)
		}
		open = resolved
	}
	// Without O_NONBLOCK opening a pipe would wait for its writer.
	f, err := os.OpenFile(open, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, siteOpenError(err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, siteOpenError(err)
	case info.IsDir():
		return nil, errors.New("is a directory; give the file in it")
	case !info.Mode().IsRegular():
		return nil, errors.New("is not a regular file")
	}
	return readBounded(f)
}

// readBounded reads one byte more than a site file may have.
func readBounded(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, siteMaxBytes+1))
	if err != nil {
		return nil, siteOpenError(err)
	}
	return data, nil
}

// siteOpenError says a system error in the site file's words.
func siteOpenError(err error) error {
	var p *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("does not exist; write a starter file with: watchdog site init")
	case errors.Is(err, syscall.ENOTDIR):
		return errors.New("does not exist: a part of its path is a file")
	case errors.As(err, &p):
		return fmt.Errorf("cannot be read: %w", p.Err)
	}
	return err
}
