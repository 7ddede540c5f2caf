import { createSocket, type RemoteInfo } from 'node:dgram'
import { once } from 'node:events'
import { isIPv4 } from 'node:net'
import { expect, it, onTestFinished, vi } from 'vitest'
import type { Resolve } from '../../../src/extensions/webhooks/platform-names.js'
import { createResolve } from '../../../src/extensions/webhooks/resolve-name.js'

const TYPE = { A: 1, AAAA: 28 } as const
/** RFC 1035 §4.1.1 */
const NO_SUCH_NAME = 3

/** A name server that knows these names. It never responds about names that contain `slow`. */
async function nameServer(names: Readonly<Record<string, readonly string[]>>): Promise<string> {
  const socket = createSocket('udp4')
  socket.on('message', (query: Buffer, { port, address }: RemoteInfo) => {
    const labels: string[] = []
    let at = 12
    for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
      labels.push(query.toString('latin1', at + 1, at + 1 + length))
      at += length + 1
    }
    const name = labels.join('.')
    if (name.includes('slow')) return
    const type = query.readUInt16BE(at + 1)
    const known = names[name]
    const answers = (known ?? []).filter((ip) => type === (isIPv4(ip) ? TYPE.A : TYPE.AAAA))
    const head = Buffer.from(query.subarray(0, 12))
    head.writeUInt16BE(0x8180 + (known === undefined ? NO_SUCH_NAME : 0), 2)
    head.writeUInt16BE(answers.length, 6)
    head.writeUInt32BE(0, 8)
    const records = answers.map((ip) => {
      const data = isIPv4(ip) ? Buffer.from(ip.split('.').map(Number)) : Buffer.from([...Array(15).fill(0), 1])
      const fields = Buffer.alloc(12)
      fields.writeUInt16BE(0xc00c, 0)
      fields.writeUInt16BE(type, 2)
      fields.writeUInt16BE(1, 4)
      fields.writeUInt16BE(data.length, 10)
      return Buffer.concat([fields, data])
    })
    socket.send(Buffer.concat([head, query.subarray(12, at + 5), ...records]), port, address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  onTestFinished(() => void socket.close())
  return `127.0.0.1:${socket.address().port}`
}

const ask = (resolve: Resolve, name: string) =>
  new Promise((answer) => resolve(name, (error, found) => answer(error === null ? found.map(({ address }) => address) : error)))

/** A platform that knows no names, and the names that it was asked about. */
function platform() {
  const asked: string[] = []
  const resolve: Resolve = (name, answer) => {
    asked.push(name)
    answer(new Error('not known'), [])
  }
  return { asked, resolve }
}

it('the name lookup returns the addresses of both families', async () => {
  const server = await nameServer({ 'both.example': ['93.184.215.14', '::1'], 'old.example': ['93.184.215.14'] })
  const { asked, resolve: byPlatform } = platform()
  const resolve = createResolve([server], byPlatform)
  expect(await ask(resolve, 'both.example')).toEqual(['93.184.215.14', '::1'])
  expect(await ask(resolve, 'old.example')).toEqual(['93.184.215.14'])
  expect(asked).toEqual([])
})

it('lookups of names whose servers never respond delay no other lookup and occupy no thread of the platform', async () => {
  const server = await nameServer({ 'quick.example': ['93.184.215.14'] })
  const { asked, resolve: byPlatform } = platform()
  const resolve = createResolve([server], byPlatform)
  let ended = 0
  for (let at = 0; at < 64; at += 1)
    resolve(`slow${at}.example`, () => {
      ended += 1
    })
  expect(await ask(resolve, 'quick.example')).toEqual(['93.184.215.14'])
  expect([ended, asked]).toEqual([0, []])
})

it('the name lookup asks the platform for a name that is neither in DNS nor in the hosts file', async () => {
  const server = await nameServer({})
  const asked: string[] = []
  const resolve = createResolve([server], (name, answer) => {
    asked.push(name)
    answer(null, [{ address: '10.0.0.7', family: 4 }])
  })
  expect(await ask(resolve, 'db.internal')).toEqual(['10.0.0.7'])
  expect(asked).toEqual(['db.internal'])
})

it('a name in the hosts file is found while the platform hangs', async () => {
  const server = await nameServer({})
  const resolve = createResolve([server], () => undefined)
  resolve('hook.example', () => undefined)
  expect(await ask(resolve, 'localhost')).toContain('127.0.0.1')
})

it('the name lookup asks the platform about one name at a time, and does not repeat a failed lookup', async () => {
  const server = await nameServer({})
  const asked: string[] = []
  const answers: (() => void)[] = []
  const resolve = createResolve([server], (name, answer) => {
    asked.push(name)
    answers.push(() => (name === 'good.internal' ? answer(null, [{ address: '10.0.0.7', family: 4 }]) : answer(new Error('not known'), [])))
  })
  const names = ['hook0.example', 'hook1.example', 'hook2.example', 'good.internal']
  const all = Promise.all(names.map((name) => ask(resolve, name)))
  for (let at = 0; at < names.length; at += 1) {
    await vi.waitFor(() => expect(asked).toHaveLength(at + 1))
    answers[at]?.()
  }
  expect((await all).filter((found) => Array.isArray(found))).toEqual([['10.0.0.7']])
  expect(await ask(resolve, 'hook0.example')).toMatchObject({ code: 'EAI_AGAIN' })
  expect(asked).toHaveLength(4)
})

it('a lookup behind a hanging lookup gives up after a while', { timeout: 20_000 }, async () => {
  const server = await nameServer({})
  const asked: string[] = []
  const resolve = createResolve([server], (name) => void asked.push(name))
  resolve('hook.example', () => undefined)
  await vi.waitFor(() => expect(asked).toHaveLength(1))
  expect(await ask(resolve, 'good.internal')).toMatchObject({ code: 'EAI_AGAIN' })
  expect(asked).toEqual(['hook.example'])
})
