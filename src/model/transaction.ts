/** Options of `create`. */
export type CreateOptions = {
  /**
   * An open transaction in the database of the store, which then decides whether the token comes to be: a transaction of Kysely, or what you began it
   * on, which is a client of `pg`, a connection of `mysql2`, or a database of `better-sqlite3`, `libsql` or `node:sqlite`.
   *
   * Hand out the token after the commit.
   */
  readonly transaction: object
}
