/** The primary result codes of SQLite, starting with 1 (https://sqlite.org/rescode.html). */
const PRIMARY =
  `ERROR INTERNAL PERM ABORT BUSY LOCKED NOMEM READONLY INTERRUPT IOERR CORRUPT NOTFOUND FULL CANTOPEN PROTOCOL EMPTY
  SCHEMA TOOBIG CONSTRAINT MISMATCH MISUSE NOLFS AUTH FORMAT RANGE NOTADB NOTICE WARNING`.split(
    /\s+/,
  );

/** The extended result codes of each primary code. The first is `primary | (1 << 8)`, the next `primary | (2 << 8)`. */
const EXTENDED: Readonly<Record<string, readonly string[]>> = {
  ERROR: "MISSING_COLLSEQ RETRY SNAPSHOT RESERVESIZE KEY UNABLE".split(" "),
  ABORT: ["", "ROLLBACK"],
  BUSY: ["RECOVERY", "SNAPSHOT", "TIMEOUT"],
  LOCKED: ["SHAREDCACHE", "VTAB"],
  READONLY: "RECOVERY CANTLOCK ROLLBACK DBMOVED CANTINIT DIRECTORY".split(" "),
  IOERR:
    `READ SHORT_READ WRITE FSYNC DIR_FSYNC TRUNCATE FSTAT UNLOCK RDLOCK DELETE BLOCKED NOMEM ACCESS CHECKRESERVEDLOCK
    LOCK CLOSE DIR_CLOSE SHMOPEN SHMSIZE SHMLOCK SHMMAP SEEK DELETE_NOENT MMAP GETTEMPPATH CONVPATH VNODE AUTH
    BEGIN_ATOMIC COMMIT_ATOMIC ROLLBACK_ATOMIC DATA CORRUPTFS IN_PAGE BADKEY CODEC`.split(
      /\s+/,
    ),
  CORRUPT: ["VTAB", "SEQUENCE", "INDEX"],
  CANTOPEN: "NOTEMPDIR ISDIR FULLPATH CONVPATH DIRTYWAL SYMLINK".split(" "),
  CONSTRAINT:
    "CHECK COMMITHOOK FOREIGNKEY FUNCTION NOTNULL PRIMARYKEY TRIGGER UNIQUE VTAB ROWID PINNED DATATYPE".split(
      " ",
    ),
  AUTH: ["USER"],
  NOTICE: ["RECOVER_WAL", "RECOVER_ROLLBACK", "RBU"],
  WARNING: ["AUTOINDEX"],
};

/**
 * Returns SQLite's name of a driver's error (`SQLITE_IOERR_FSYNC`), from the number in its `errcode`. Undefined: the error
 * is not one of SQLite's. An extended code without a name here gets the name of its primary code.
 */
export function sqliteErrorName(thrown: unknown): string | undefined {
  if (
    typeof thrown !== "object" ||
    thrown === null ||
    !("errcode" in thrown) ||
    typeof thrown.errcode !== "number"
  ) {
    return undefined;
  }
  const primary = PRIMARY[(thrown.errcode & 0xff) - 1];
  if (primary === undefined) {
    return undefined;
  }
  const extended = EXTENDED[primary]?.[(thrown.errcode >> 8) - 1];
  return extended ? `SQLITE_${primary}_${extended}` : `SQLITE_${primary}`;
}
