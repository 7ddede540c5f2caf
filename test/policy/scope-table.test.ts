import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { Resources } from '../../src/model/json.js'
import { type CatalogueOptions, compileCatalogue } from '../../src/policy/catalogue.js'
import { type AskedResources, resourcesAllow } from '../../src/policy/resource.js'

const page = readFileSync(new URL('../../docs/scopes.md', import.meta.url), 'utf8')
const options: CatalogueOptions = JSON.parse(/```json\n([\s\S]*?)\n```/.exec(page)?.[1] ?? '')
const catalogue = compileCatalogue(options)

/** The rows of the table whose header begins with this cell. */
function table(header: string): string[][] {
  const from = page.indexOf(`| ${header} |`)
  const lines = page.slice(from).split('\n')
  const rows = lines.slice(
    2,
    lines.findIndex((line) => !line.startsWith('|')),
  )
  return rows.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

const grantsOf = (cell = ''): string[] => Array.from(cell.matchAll(/`([^`]*)`/g), (match) => match[1] ?? '')
const jsonOf = (cell = ''): unknown => (cell === 'none' ? undefined : JSON.parse(grantsOf(cell)[0] ?? ''))
const yes = (cell = ''): boolean => {
  expect(cell).toMatch(/^(yes|no)$/)
  return cell === 'yes'
}

const coverage = table('the token has')
const delegation = table('the actor has')
const resources = table("the token's resources")

test('the docs contain the tables of scopes and resources', () => {
  expect(coverage.length).toBeGreaterThan(35)
  expect(delegation.length).toBeGreaterThan(20)
  expect(resources.length).toBeGreaterThan(15)
})

test.each(coverage)('a token with %s has %s: %s', (held, wanted, covered) => {
  expect(catalogue.resolve(grantsOf(held)).has(grantsOf(wanted)[0] ?? '')).toBe(yes(covered))
})

test.each(delegation)('an actor with %s can grant %s: %s', (held, wanted, allowed) => {
  const grants = grantsOf(wanted)
  expect(catalogue.grantable(grantsOf(held), grants, [])).toBe(yes(allowed) ? undefined : grants[0])
})

test.each(resources)('a token limited to the resources %s may access %s: %s', (granted, asked, allowed) => {
  expect(resourcesAllow(jsonOf(granted) as Resources | undefined, jsonOf(asked) as AskedResources)).toBe(yes(allowed))
})

test('with allowWildcard, * covers every scope of the catalogue', () => {
  const open = compileCatalogue({ ...options, allowWildcard: true })
  expect(open.resolve(['*']).names).toEqual(open.names)
  expect(open.grantable(['*'], ['*', '@office', 'inventory:*', 'billing:read'], [])).toBeUndefined()
})
