import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import express from 'express'
import { quantile } from '../paired.js'

/** A request and its response, as handlers receive them. */
type Exchange = { readonly req: IncomingMessage & { principal?: unknown }; readonly res: ServerResponse }

/** How long an access takes, in nanoseconds. */
export type Access = { readonly what: string; readonly onNode: number; readonly onExpress: number }

const AT_ONCE = 2000
const ROUNDS = 40
const listener = (): void => undefined

/** Accesses that every guard makes. */
const ACCESSES: readonly (readonly [what: string, access: (exchange: Exchange) => unknown])[] = [
  ['read a property of the request', ({ req }) => req.rawHeaders],
  [
    'set a new property of the request',
    ({ req }) => {
      req.principal = AT_ONCE
    },
  ],
  ['listen for the end of the response', ({ res }) => res.on('close', listener)],
]

/** Measures each access on requests as Node creates them, and on requests that Express passes to a handler. */
export function measureAccesses(): readonly Access[] {
  const socket = new Socket()
  const plain = (): Exchange => {
    const req = Object.assign(new IncomingMessage(socket), { url: '/', method: 'GET' })
    return { req, res: new ServerResponse(req) }
  }
  const app = express()
  app.use(() => undefined)
  const handled = (): Exchange => {
    const exchange = plain()
    // Express extends Node's objects in place.
    app(exchange.req as express.Request, exchange.res as express.Response)
    return exchange
  }
  // Code that has met Express's objects is slower on all others, so Node's come first.
  const onNode = ACCESSES.map(([, access]) => nanoseconds(plain, access))
  return ACCESSES.map(([what, access], at) => ({ what, onNode: onNode[at] ?? Number.NaN, onExpress: nanoseconds(handled, access) }))
}

function nanoseconds(make: () => Exchange, access: (exchange: Exchange) => unknown): number {
  const samples: number[] = []
  for (let round = 0; round < ROUNDS; round += 1) {
    const exchanges = Array.from({ length: AT_ONCE }, make)
    const began = performance.now()
    for (const exchange of exchanges) access(exchange)
    samples.push(((performance.now() - began) * 1e6) / AT_ONCE)
  }
  return quantile(samples, 0.5)
}
