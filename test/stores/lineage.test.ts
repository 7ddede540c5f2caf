import { describe, expect, it } from 'vitest'
import { Lineage } from '../../adapters/stores/sql/queries/lineage.js'

const row = (run: string, run_before: string) => ({ run, run_before })

describe('what is known of the runs of servers', () => {
  it('lets one run follow another, as often as a server starts or is replaced', () => {
    const lineage = new Lineage()
    lineage.note(row('a', ''))
    lineage.note(row('b', 'a'))
    lineage.note(row('b', 'a'))
    lineage.note(row('c', 'b'))
    for (let at = 0; at < 300; at += 1) lineage.note(row(`c${at + 1}`, at === 0 ? 'c' : `c${at}`))
    expect(lineage.age).toBeGreaterThan(1)
  })

  it('refuses a run that was followed by another one', () => {
    const lineage = new Lineage()
    lineage.note(row('b', 'a'))
    expect(() => lineage.note(row('a', ''))).toThrow('was replaced')
    lineage.note(row('b', 'a'))
  })

  it('refuses a run that follows one which another run followed, as of an old primary that was started again and written to', () => {
    const lineage = new Lineage()
    lineage.note(row('b', 'a'))
    expect(() => lineage.note(row('a2', 'a'))).toThrow('was replaced')
    expect(() => lineage.note(row('a2', 'a'))).toThrow('was replaced')
  })

  it('says nothing where a dialect tells no runs apart', () => {
    const lineage = new Lineage()
    lineage.note(row('', ''))
    lineage.note(row('', ''))
    expect(lineage.age).toBe(0)
  })
})
