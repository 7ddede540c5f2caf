import { afterAll, expect, vi } from 'vitest'

// Files of tests that share a process leave it as they found it. What one of them leaves behind fails that file, not a later one at random.
const EVENTS = ['uncaughtException', 'unhandledRejection', 'warning', 'SIGTERM', 'SIGINT', 'SIGHUP']

const CONSOLE = ['log', 'info', 'warn', 'error', 'debug'] as const

/** Copies of the package beside the sources: whoever warns names them. */
const otherCopies = (): readonly unknown[] => {
  const copies: readonly unknown[] = Reflect.get(globalThis, Symbol.for('latchkey.copies')) ?? []
  return copies.map((copy) => Reflect.get(Object(copy), 'file')).filter((file) => !String(file).endsWith('/src/model/copies.ts'))
}

const state = () => ({
  env: { ...process.env },
  listeners: Object.fromEntries(EVENTS.map((event) => [event, process.listenerCount(event)])),
  // A library that is loaded only when it is needed names what it shares like this.
  globals: Object.getOwnPropertyNames(globalThis).filter((name) => !name.startsWith('__')),
  folder: process.cwd(),
  copies: otherCopies(),
})

const before = state()

afterAll(() => {
  vi.resetConfig()
  expect(vi.isFakeTimers()).toBe(false)
  expect([Date, globalThis.fetch, process.stdout.write, ...CONSOLE.map((name) => console[name])].filter(vi.isMockFunction)).toEqual([])
  expect(state()).toEqual(before)
})
