import { type AuditHead, latchkey } from 'latchkey'
import { type EventProof, sealSigner, sealVerifier, verifyAuditExport, verifyEventProof } from 'latchkey/audit'
import { generateSigningKey } from 'latchkey/jwt'
import { memoryStore } from 'latchkey/stores/memory'
import { beforeAll, describe, expect, it } from 'vitest'
import { type FullSeal, openSeal, storeSeal } from '../../../src/audit/seal.js'
import { exported, forgeableStore } from '../../audit/log.js'
import { instance, mint, refusal, SCOPES } from '../../latchkey/harness.js'

const [key, other] = await Promise.all([generateSigningKey('EdDSA'), generateSigningKey('EdDSA')])
const verifySignature = sealVerifier(key.publicJwk)

describe('event proofs', () => {
  const tokens = latchkey({ prefix: 'acme_test', store: memoryStore(), scopes: SCOPES, sealing: { sign: sealSigner(key) }, logger: false })
  const heads: AuditHead[] = []
  let ids: string[] = []

  beforeAll(async () => {
    for (let round = 0; round < 4; round += 1) {
      for (let turn = 0; turn < 7; turn += 1) await mint(tokens, { name: `name ${round} ${turn}`, ownerId: 'bob' })
      heads.push((await tokens.system.sealAudit()) as AuditHead)
    }
    ids = (await tokens.system.events({ order: 'oldest', limit: 1000 })).items.map(({ id }) => id)
  })

  it('an event proof can be verified against the head of its seal, against any later head, and by signature', async () => {
    for (const [index, id] of ids.entries()) {
      const own = await tokens.system.proveEvent(id)
      const head = heads[Math.floor(index / 7)] as AuditHead
      expect(await verifyEventProof(own, { head })).toEqual({ ok: true })
      expect(await verifyEventProof(own, { verifySignature })).toEqual({ ok: true })
      const last = JSON.parse(JSON.stringify(heads[3]))
      const proof: EventProof = JSON.parse(JSON.stringify(await tokens.system.proveEvent(id, { head: last })))
      expect(await verifyEventProof(proof, { head: last, verifySignature })).toEqual({ ok: true })
    }
  })

  it('an event proof reveals no other event and hides the requested personal fields', async () => {
    const proof = await tokens.system.proveEvent(ids[8] ?? '', {
      hide: ['ownerId', 'after.name', 'after.ownerId', 'actorId', 'createdBy'],
      head: heads[3],
    })
    const text = JSON.stringify(proof)
    for (const id of ids.filter((each) => each !== ids[8])) expect(text).not.toContain(id)
    expect(text).not.toMatch(/bob|name 1 1|"system"/)
    expect(await verifyEventProof(proof, { head: heads[3] as AuditHead })).toEqual({ ok: true })
  })

  it.each([
    'after',
    'after.',
    'ownerid',
    'owner',
    'name',
    'after.nme',
    'action',
    'seq',
    'details.successorId',
    '',
    'constructor',
    '__proto__.x',
  ])('proveEvent() rejects %j in `hide` because it is not a personal field of the event', async (path) => {
    await expect(tokens.system.proveEvent(ids[8] ?? '', { hide: ['actorId', path] })).rejects.toMatchObject({
      code: 'invalid_input',
      field: expect.stringContaining('hide'),
    })
  })

  it('proveEvent() accepts hidden fields that the event does not have', async () => {
    const proof = await tokens.system.proveEvent(ids[8] ?? '', { hide: ['ip', 'reason', 'before.name', 'after.description'] })
    expect(JSON.stringify(proof)).toContain('"name 1 1')
  })

  it('an event proof fails after any change to its contents', async () => {
    const head = heads[3] as AuditHead
    const proof = await tokens.system.proveEvent(ids[3] ?? '', { head })
    const another = await tokens.system.proveEvent(ids[4] ?? '', { head })
    const forgeries: unknown[] = [
      { ...proof, event: another.event },
      { ...proof, event: { ...proof.event, actorId: 'eve' } },
      { ...proof, event: { ...proof.event, seq: proof.event.seq + 1 } },
      { ...proof, event: { ...proof.event, note: 'x' } },
      { ...proof, index: proof.index + 1 },
      { ...proof, index: -1 },
      { ...proof, path: another.path },
      { ...proof, path: proof.path.slice(1) },
      { ...proof, path: ['x'] },
      { ...proof, seals: proof.seals.slice(1) },
      { ...proof, seals: proof.seals.slice(0, -1) },
      { ...proof, seals: [proof.seals[0], ...proof.seals.slice(2)] },
      { ...proof, seals: proof.seals.map((seal) => ({ ...seal, root: proof.seals[1]?.root })) },
      { ...proof, version: 2 },
      { ...proof, seals: [] },
      {},
      null,
      'proof',
    ]
    for (const forged of forgeries) expect((await verifyEventProof(forged as EventProof, { head })).ok, JSON.stringify(forged)).toBe(false)
    expect((await verifyEventProof(proof, { verifySignature: sealVerifier(other.publicJwk) })).ok).toBe(false)
    expect((await verifyEventProof(proof, { head: heads[2] as AuditHead })).ok).toBe(false)
  })

  it.each([
    ['as issued', []],
    ['with hidden fields', ['actorId', 'after.name', 'ownerId']],
  ])('an event proof %s fails after any member is added, changed or removed at any depth', async (_, hide) => {
    const head = heads[3] as AuditHead
    const proof: unknown = JSON.parse(JSON.stringify(await tokens.system.proveEvent(ids[3] ?? '', { head, hide })))
    expect(await verifyEventProof(proof as EventProof, { head, verifySignature })).toEqual({ ok: true })
    const forgeries = [...tamperings(proof)]
    expect(forgeries.length).toBeGreaterThan(100)
    for (const [what, forged] of forgeries)
      expect((await verifyEventProof(forged as EventProof, { head, verifySignature })).ok, what).toBe(false)
  })

  it('verifyEventProof() requires a head or a signature verifier', async () => {
    const proof = await tokens.system.proveEvent(ids[0] ?? '')
    expect(await refusal(verifyEventProof(proof, {}))).toBe('invalid_input head')
    expect(await refusal(verifyEventProof(proof, { head: undefined, verifySignature }))).toBe('invalid_input head')
  })

  it('proveEvent() rejects unsealed events, missing events, and events that do not match the head', async () => {
    const { system } = tokens
    expect(await refusal(system.proveEvent('missing'))).toBe('invalid_input id')
    expect(await refusal(system.proveEvent(ids[27] ?? '', { head: heads[0] }))).toBe('invalid_input head')
    expect(await refusal(system.proveEvent(ids[0] ?? '', { head: { number: 99, hash: 'a'.repeat(64) } }))).toBe('invalid_input head')
    await mint(tokens)
    const [newest] = (await system.events({ limit: 1 })).items
    expect(await refusal(system.proveEvent(newest?.id ?? ''))).toBe('conflict undefined')
  })
})

/** Yields a copy for every change: each member replaced or removed, and one extra member in each object and array. */
function* tamperings(value: unknown, path = 'proof'): Generator<readonly [what: string, forged: unknown]> {
  if (typeof value !== 'object' || value === null) return
  const added = Array.isArray(value) ? [...value, value[0] ?? 'x'] : { ...value, extra: 'x' }
  yield [`${path} with one more`, added]
  if (path === 'proof.event')
    for (const more of [{ damaged: ['ip'] }, { damaged: [] }, { salt: 'a'.repeat(64) }, { erased: { commitments: {}, salts: {} } }])
      yield [`${path} with ${JSON.stringify(more)}`, { ...value, ...more }]
  for (const [key, member] of Object.entries(value)) {
    const withMember = (made: unknown): unknown => {
      if (Array.isArray(value)) return value.toSpliced(Number(key), 1, made)
      return { ...value, [key]: made }
    }
    const { [key]: _, ...rest } = value as Record<string, unknown>
    yield [`${path} without ${key}`, Array.isArray(value) ? value.toSpliced(Number(key), 1) : rest]
    for (const made of typeof member === 'number'
      ? [member + 1, `${member}`]
      : typeof member === 'string'
        ? [`${member}x`, '', 'erased']
        : [null, 'x', {}, []])
      if (JSON.stringify(made) !== JSON.stringify(member)) yield [`${path}.${key} is ${JSON.stringify(made)}`, withMember(made)]
    for (const [what, forged] of tamperings(member, `${path}.${key}`)) yield [what, withMember(forged)]
  }
}

describe('signed seals', () => {
  it('signed seals verify with the current key or an old one, and with no other key', async () => {
    const tokens = instance({ sealing: { sign: sealSigner(key) } })
    await mint(tokens)
    await tokens.system.sealAudit()
    const lines = await exported(tokens.system.exportAudit())
    expect(await verifyAuditExport(lines, { verifySignature })).toMatchObject({ ok: true, anchor: 'signature', sealed: 1 })
    const both = sealVerifier([other.publicJwk, { ...key.publicJwk, kid: 'renamed' }, key.publicJwk])
    expect(await tokens.system.verifyAudit({ verifySignature: both })).toMatchObject({ ok: true })
    const wrong = await tokens.system.verifyAudit({ verifySignature: sealVerifier(other.publicJwk) })
    expect(wrong.problems.map(({ kind }) => kind)).toContain('seal')
  })

  it('signatures on seals expose a chain rebuilt without the key and signatures that were removed or moved', async () => {
    const forgeable = forgeableStore()
    const tokens = instance({ store: forgeable.store, sealing: { sign: sealSigner(key) } })
    for (let turn = 0; turn < 3; turn += 1) {
      await mint(tokens)
      await tokens.system.sealAudit()
    }
    const tables = await forgeable.tables()
    const seals = tables.seals.map((seal) => openSeal(seal) as FullSeal)
    const bare = seals.map(({ signature: _, ...seal }) => seal)
    const moved = seals.map((seal, index) => ({ ...seal, signature: seals[(index + 1) % 3]?.signature ?? '' }))
    for (const forged of [
      bare,
      moved,
      [...seals.slice(0, 2), ...bare.slice(2)],
      [...seals.slice(0, 1), ...bare.slice(1, 2), ...seals.slice(2)],
    ]) {
      forgeable.forge({ ...tables, seals: forged.map(storeSeal) })
      expect((await tokens.system.verifyAudit({ verifySignature })).ok).toBe(false)
    }
    forgeable.forge({ events: [], seals: [] })
    expect((await tokens.system.verifyAudit({ verifySignature })).ok).toBe(false)
  })

  it('signing can be enabled after unsigned seals exist', async () => {
    const store = memoryStore()
    const before = instance({ store })
    await mint(before)
    await before.system.sealAudit()
    const tokens = instance({ store, sealing: { sign: sealSigner(key) } })
    await mint(tokens)
    await tokens.system.sealAudit()
    expect(await tokens.system.verifyAudit({ verifySignature })).toMatchObject({ ok: true, sealed: 2 })
  })

  it('sealing fails and reports the error when the signing key is unavailable', async () => {
    const places: string[] = []
    for (const sign of [
      () => {
        throw new Error('the key is unavailable')
      },
      async () => '',
      async () => 'x'.repeat(5000),
      (() => undefined) as never,
    ]) {
      const tokens = instance({ sealing: { sign }, onError: ({ where }) => places.push(where) })
      await mint(tokens)
      expect(await refusal(tokens.system.sealAudit())).toBe('store_unavailable undefined')
      expect(await tokens.system.verifyAudit()).toMatchObject({ ok: true, sealed: 0, behind: 1 })
    }
    expect(places).toEqual(['sealSign', 'sealSign', 'sealSign', 'sealSign'])
  })

  it('verifying a value that is not an export or a proof fails with a named error', async () => {
    for (const wrong of [undefined, null, 7, {}, 'audit.jsonl', async () => []]) {
      expect(await refusal(verifyAuditExport(wrong as never))).toBe('invalid_input entries')
    }
    expect(await refusal(verifyAuditExport([], { head: 'h' } as never))).toBe('invalid_input head')
    for (const wrong of [undefined, null, 'proof', {}]) {
      expect(await verifyEventProof(wrong as never, { verifySignature: () => true })).toMatchObject({ ok: false })
    }
  })

  it.each([
    ['the same key twice', [key.publicJwk, key.publicJwk]],
    ['two keys with one kid', [{ ...other.publicJwk, kid: key.kid }, key.publicJwk]],
  ])('sealVerifier() accepts a genuine signature and refuses another if it is given %s', async (_what, keys) => {
    const verify = sealVerifier(keys)
    const signature = await sealSigner(key)('a hash')
    expect(await verify('a hash', signature)).toBe(true)
    expect(await verify('another hash', signature)).toBe(false)
    expect(await verify('a hash', await sealSigner(await generateSigningKey('EdDSA'))('a hash'))).toBe(false)
  })

  it('sealSigner() and sealVerifier() accept only keys', () => {
    for (const wrong of [undefined, {}, 'key', key.publicJwk]) expect(() => sealSigner(wrong as never)).toThrow('key')
    for (const wrong of [undefined, [], {}, [{ kty: 'RSA' }], 'key']) expect(() => sealVerifier(wrong as never)).toThrow('keys')
  })

  it('sealVerifier() rejects an incomplete key, which would make every valid signature look forged', async () => {
    const { x, y, ...rest } = (await generateSigningKey('ES256')).publicJwk
    for (const part of [
      { ...rest, y },
      { ...rest, x },
      { ...rest, x: x?.slice(1), y },
      { ...key.publicJwk, x: undefined },
    ]) {
      expect(() => sealVerifier([key.publicJwk, part] as never)).toThrow(expect.objectContaining({ code: 'invalid_input', field: 'keys' }))
    }
  })
})
