// The package has no types of its own; the ones used here are in `sqlite-handle.ts`.
declare module 'better-sqlite3' {
  const Database: unknown
  // biome-ignore lint/style/noDefaultExport: that is what the package has
  export default Database
}
