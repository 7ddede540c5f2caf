/** Options of `create`. */
export type CreateOptions = {
  /**
   * An open transaction in the store's database; its commit creates the token. Pass a Kysely transaction, or the object on which you began the
   * transaction: a `pg` client, a `mysql2` connection, or a `better-sqlite3`, `libsql` or `node:sqlite` database.
   *
   * Do not hand out the token before the commit.
   */
  readonly transaction: object
}
