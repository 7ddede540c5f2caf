import { once } from 'node:events'
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import type { Principal } from 'latchkey'
import { authenticateUpgrade } from 'latchkey/ws'
import { expect, it } from 'vitest'
import { hasSignal } from '../../src/verify/principal.js'
import { kit } from '../support/http/tokens.js'

const MANY = 10_000

/** An upgrade request on an unconnected socket. */
function handshake(token: string): IncomingMessage {
  const request = new IncomingMessage(new Socket())
  request.rawHeaders.push('Authorization', `Bearer ${token}`, 'Upgrade', 'websocket')
  return request
}

it('ten thousand connections release their signals when they close, and all close when their token ends', async () => {
  const { tokens, create } = await kit()
  const { token, id } = await create()
  const principals: Principal[] = []
  const opened: Socket[] = []
  for (let turn = 0; turn < MANY; turn += 1) {
    const request = handshake(token)
    const upgrade = await authenticateUpgrade(tokens, request)
    if (!upgrade.ok) throw new Error(upgrade.code)
    principals.push(upgrade.principal)
    opened.push(request.socket)
  }
  expect(principals.every((principal) => hasSignal(principal))).toBe(true)
  const left = opened.splice(0, MANY - 100)
  const closed = left.map((socket) => once(socket, 'close'))
  for (const socket of left) socket.destroy()
  await Promise.all(closed)
  expect(principals.filter((principal) => hasSignal(principal))).toHaveLength(100)
  const ended = opened.map((socket) => once(socket, 'close'))
  await tokens.system.revoke(id)
  await Promise.all(ended)
  expect(principals.filter((principal) => hasSignal(principal))).toEqual([])
  await tokens.flush()
  expect((await tokens.system.usage(id)).total).toBe(MANY)
})
