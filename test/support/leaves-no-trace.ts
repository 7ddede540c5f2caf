import { afterAll, expect, vi } from 'vitest'

// Test files that share a process must leave it as they found it. Anything left behind fails the file that left it, not a random later
// file.
const EVENTS = ['uncaughtException', 'unhandledRejection', 'warning', 'SIGTERM', 'SIGINT', 'SIGHUP']

const CONSOLE = ['log', 'info', 'warn', 'error', 'debug'] as const

/** Copies of the package other than the sources, by file name. */
const otherCopies = (): readonly unknown[] => {
  const copies: readonly unknown[] = Reflect.get(globalThis, Symbol.for('latchkey.copies')) ?? []
  return copies.map((copy) => Reflect.get(Object(copy), 'file')).filter((file) => !String(file).endsWith('/src/model/copies.ts'))
}

const state = () => ({
  env: { ...process.env },
  listeners: Object.fromEntries(EVENTS.map((event) => [event, process.listenerCount(event)])),
  // Globals of lazily loaded libraries start with two underscores.
  globals: Object.getOwnPropertyNames(globalThis).filter((name) => !name.startsWith('__')),
  folder: process.cwd(),
  copies: otherCopies(),
})

const before = state()

afterAll(() => {
  vi.resetConfig()
  const fake = vi.isFakeTimers()
  vi.useRealTimers()
  expect(fake).toBe(false)
  expect([Date, globalThis.fetch, process.stdout.write, ...CONSOLE.map((name) => console[name])].filter(vi.isMockFunction)).toEqual([])
  expect(state()).toEqual(before)
})
