import { generateKeyPairSync, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { importPublicKey, verifySignature } from '../../../src/extensions/leaks/signature.js'
import { keyPair } from '../../support/keys.js'
import { fc } from '../../support/property.js'

const { privateKey, publicKey } = keyPair('P-256')
const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()

describe('DER signatures', () => {
  it('verifySignature() accepts every DER signature that the platform creates', async () => {
    const key = await importPublicKey(pem)
    if (key === undefined) throw new Error('the key was not read')
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        const text = sign('sha256', bytes, privateKey).toString('base64')
        return await verifySignature(key, text, new Uint8Array(bytes))
      }),
      { numRuns: 300 },
    )
  })

  it('verifySignature() rejects a changed, truncated or extended DER signature', async () => {
    const key = await importPublicKey(pem)
    if (key === undefined) throw new Error('the key was not read')
    const bytes = new TextEncoder().encode('report')
    const der = sign('sha256', bytes, privateKey)
    for (let at = 0; at < der.length; at += 1) {
      const changed = Buffer.from(der)
      changed[at] = (changed[at] ?? 0) ^ 0x01
      expect([at, await verifySignature(key, changed.toString('base64'), bytes)]).toEqual([at, false])
      expect(await verifySignature(key, der.subarray(0, at).toString('base64'), bytes)).toBe(false)
    }
    expect(await verifySignature(key, Buffer.concat([der, Buffer.from([0])]).toString('base64'), bytes)).toBe(false)
  })
})

describe('public keys', () => {
  it('importPublicKey() rejects other kinds of keys', async () => {
    const rsa = keyPair({ rsaBits: 2048 }).publicKey.export({ type: 'spki', format: 'pem' }).toString()
    const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({ type: 'spki', format: 'pem' }).toString()
    for (const other of [rsa, p384, 'x', '', pem.replace('PUBLIC', 'PRIVATE')]) expect(await importPublicKey(other)).toBeUndefined()
  })

  it('importPublicKey() accepts any kind of line break and rejects mostly blank text', async () => {
    const body = pem.replace(/-----[A-Z ]+-----/g, '').replace(/\s+/g, '')
    expect(await importPublicKey(`-----BEGIN PUBLIC KEY-----\r\n${body}\r\n-----END PUBLIC KEY-----\r\n`)).toBeDefined()
    expect(await importPublicKey(`-----BEGIN PUBLIC KEY-----${' '.repeat(100_000)}x`)).toBeUndefined()
  })
})
