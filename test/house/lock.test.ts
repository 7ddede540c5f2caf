import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'

type Locked = { readonly optionalDependencies?: { readonly [name: string]: string } }

const lock: { readonly packages: { readonly [place: string]: Locked } } = JSON.parse(
  await readFile(new URL('../../package-lock.json', import.meta.url), 'utf8'),
)

describe('package-lock.json', () => {
  it("package-lock.json has every platform's packages, so `npm ci` works on other machines (run npm run lock to fix)", () => {
    const places = Object.keys(lock.packages)
    const missing = Object.values(lock.packages)
      .flatMap(({ optionalDependencies }) => Object.keys(optionalDependencies ?? {}))
      .filter((name) => !places.some((place) => place === `node_modules/${name}` || place.endsWith(`/node_modules/${name}`)))
    expect(missing).toEqual([])
  })
})
