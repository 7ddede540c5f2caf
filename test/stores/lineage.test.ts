import { describe, expect, it } from 'vitest'
import { Lineage } from '../../adapters/stores/sql/queries/lineage.js'

const row = (run: string, run_before: string) => ({ run, run_before })

describe('the lineage of server runs', () => {
  it('a feed accepts a new run of the server that names the last run as its predecessor', () => {
    const lineage = new Lineage()
    lineage.note(row('a', ''))
    lineage.note(row('b', 'a'))
    lineage.note(row('b', 'a'))
    lineage.note(row('c', 'b'))
    for (let at = 0; at < 300; at += 1) lineage.note(row(`c${at + 1}`, at === 0 ? 'c' : `c${at}`))
    expect(lineage.age).toBeGreaterThan(1)
  })

  it('a feed refuses a server run that another run has already replaced', () => {
    const lineage = new Lineage()
    lineage.note(row('b', 'a'))
    expect(() => lineage.note(row('a', ''))).toThrow('another server replaced this server')
    lineage.note(row('b', 'a'))
  })

  it('a feed refuses a second successor of a server run, such as an old primary that was restarted and written to', () => {
    const lineage = new Lineage()
    lineage.note(row('b', 'a'))
    expect(() => lineage.note(row('a2', 'a'))).toThrow('another server replaced this server')
    expect(() => lineage.note(row('a2', 'a'))).toThrow('another server replaced this server')
  })

  it('the lineage check ignores a database that reports no run ID', () => {
    const lineage = new Lineage()
    lineage.note(row('', ''))
    lineage.note(row('', ''))
    expect(lineage.age).toBe(0)
  })
})
