// Modules that the pages import but the repository does not install, or installs without types.

declare module 'bcryptjs' {
  export function compare(text: string, hash: string): Promise<boolean>
}

declare module 'next/server' {
  export function after(work: () => Promise<unknown>): void
}

declare module 'node:sqlite' {
  export class DatabaseSync {
    constructor(path: string)
    exec(sql: string): void
    prepare(sql: string): import('libsql').Statement
    close(): void
  }
}
