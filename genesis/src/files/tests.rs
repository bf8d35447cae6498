use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

#[test]
fn a_file_is_created_once_with_its_mode_and_nothing_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("secret");
    create(&path, b"first", PRIVATE).unwrap();
    assert!(matches!(create(&path, b"second", PRIVATE), Err(FileError::Exists { .. })));
    assert_eq!(fs::read(&path).unwrap(), b"first");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, PRIVATE);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "temporary files are removed");
}

#[test]
fn a_missing_directory_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("no/secret");
    let error = create(&path, b"x", PRIVATE).unwrap_err().to_string();
    assert!(error.contains("no/") && error.contains("No such file"), "{error}");
}

#[test]
fn secrets_that_others_may_read_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("secret");
    create(&path, b"x", PRIVATE).unwrap();
    assert_eq!(read_private(&path, 10).unwrap().as_slice(), b"x");
    for mode in [0o640, 0o604, 0o610, 0o644, 0o666] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let error = read_private(&path, 10).unwrap_err();
        assert!(matches!(error, FileError::WideMode { mode: seen, .. } if seen == mode));
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
    fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
    assert!(read_private(&path, 10).is_ok(), "stricter than needed is fine");
}

#[test]
fn what_is_no_file_or_too_large_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    assert!(matches!(read(directory.path(), 10), Err(FileError::NotAFile { .. })));
    let path = directory.path().join("file");
    create(&path, &[0; 11], PUBLIC).unwrap();
    assert!(matches!(read(&path, 10), Err(FileError::TooLarge { .. })));
    assert_eq!(read(&path, 11).unwrap().len(), 11);
}
