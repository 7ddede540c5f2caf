import { execFileSync } from 'node:child_process'
import { constants } from 'node:fs'
import { chmod, lstat, mkdir, mkdtemp, open, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { LockTimes } from '../../../src/extensions/client/node/file-lock.js'
import { createFileStorage } from '../../../src/extensions/client/node/file-storage.js'
import { TOKEN } from './places.js'

const TIMES: LockTimes = { beatMs: 20, staleMs: 200, pollMs: 5, patienceMs: 20_000 }

let folder: string
let path: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'latchkey-client-'))
  path = join(folder, 'token')
})
afterEach(async () => {
  // Releases every call that waits for the other end of a pipe.
  for (const name of await readdir(folder)) {
    const isPipe = (await lstat(join(folder, name))).isFIFO()
    if (isPipe) await (await open(join(folder, name), constants.O_RDWR | constants.O_NONBLOCK)).close()
  }
  await rm(folder, { recursive: true, force: true })
})

const plantPipe = async (place: string): Promise<void> => void execFileSync('mkfifo', [place])
const plantHuge = async (place: string): Promise<void> => {
  await writeFile(place, TOKEN)
  await truncate(place, 3_000_000_000)
}

describe.skipIf(process.platform === 'win32')('files that an attacker planted in place of the files of fileStorage', () => {
  it.each([
    ['a pipe', plantPipe],
    ['a link to a device', (place: string) => symlink('/dev/zero', place)],
    ['a dangling link', (place: string) => symlink(join(folder, 'nothing'), place)],
    ['a link to itself', (place: string) => symlink(place, place)],
    ['a huge file', plantHuge],
  ])('%s in place of the lock is removed, and the lock is taken', async (_, plant) => {
    await plant(`${path}.lock`)
    const storage = createFileStorage(path, TIMES)
    await storage.lock(() => Promise.resolve(storage.save({ token: TOKEN })))
    expect(await readFile(path, 'utf8')).toBe(`${TOKEN}\n`)
    expect(await readdir(folder)).toEqual(['token'])
  })

  it.each([
    ['a pipe', plantPipe],
    ['a link to a device', (place: string) => symlink('/dev/zero', place)],
    ['a huge file', plantHuge],
  ])('%s in place of the token or the note is refused', async (_, plant) => {
    const storage = createFileStorage(path, TIMES)
    await plant(path)
    await expect(storage.load()).rejects.toThrow(/not a regular file|too large/)
    await rm(path)
    await writeFile(path, TOKEN)
    await plant(`${path}.rotation`)
    await expect(storage.load()).rejects.toThrow(/not a regular file|too large/)
  })

  it.each([
    ['a link', (place: string) => symlink(join(folder, 'stolen'), place)],
    ['a file that everyone can read', (place: string) => writeFile(place, '').then(() => chmod(place, 0o666))],
  ])('%s in place of a draft receives neither the token nor the note', async (_, plant) => {
    const storage = createFileStorage(path, TIMES)
    await storage.lock(async () => {
      const owner = await readFile(`${path}.lock`, 'utf8')
      await plant(`${path}.${owner}.draft`)
      await plant(`${path}.rotation.${owner}.draft`)
      await storage.save({ token: TOKEN, rotation: 'a note' })
    })
    expect(await storage.load()).toEqual({ token: TOKEN, rotation: 'a note' })
    expect((await readdir(folder)).sort()).toEqual(['token', 'token.rotation'])
    for (const name of ['token', 'token.rotation']) expect((await lstat(join(folder, name))).mode & 0o777).toBe(0o600)
  })

  it('a note is readable only by its owner even if an attacker planted a note that everyone can read', async () => {
    await writeFile(`${path}.rotation`, '')
    await chmod(`${path}.rotation`, 0o666)
    const storage = createFileStorage(path, TIMES)
    await storage.lock(() => Promise.resolve(storage.save({ token: TOKEN, rotation: 'a note' })))
    expect((await lstat(`${path}.rotation`)).mode & 0o777).toBe(0o600)
  })

  it('a draft that cannot be moved into place is removed', async () => {
    await mkdir(`${path}.rotation`)
    const storage = createFileStorage(path, TIMES)
    await expect(storage.lock(() => Promise.resolve(storage.save({ token: TOKEN, rotation: 'a note' })))).rejects.toThrow()
    expect(await readdir(folder)).toEqual(['token.rotation'])
  })
})
