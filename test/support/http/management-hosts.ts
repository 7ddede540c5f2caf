import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type ServerType, serve } from '@hono/node-server'
import express5, { type RequestHandler } from 'express'
import express4 from 'express4'
import Fastify from 'fastify'
import { Hono } from 'hono'
import Koa3 from 'koa'
import mount from 'koa-mount'
import Koa2 from 'koa2'
import type { Actor, Latchkey } from 'latchkey'
import * as onExpress from 'latchkey/express'
import * as onFastify from 'latchkey/fastify'
import * as onHono from 'latchkey/hono'
import * as onKoa from 'latchkey/koa'
import * as onWeb from 'latchkey/web'

/** Determines the actor from the header `x-user`. */
export type ActorByHeader = (user: string | undefined) => Actor | undefined | Promise<Actor | undefined>

/** A server that mounts the management API. */
export type Host = { readonly origin: string; close(): Promise<unknown> }

/** Starts one kind of host with the API at `path`. */
export type StartHost = (tokens: Latchkey, actor: ActorByHeader, path: string) => Promise<Host>

/** The API on every framework, some behind a body parser of the host. */
export const managementHosts: { readonly [name: string]: StartHost } = {
  'Express 4': (tokens, actor, path) => onAnyExpress(express4, [], tokens, actor, path),
  'Express 4 behind express.json()': (tokens, actor, path) => onAnyExpress(express4, [express4.json()], tokens, actor, path),
  'Express 4 behind express.urlencoded()': (tokens, actor, path) =>
    onAnyExpress(express4, [express4.urlencoded({ extended: false })], tokens, actor, path),
  'Express 5': (tokens, actor, path) => onAnyExpress(express5, [], tokens, actor, path),
  'Express 5 behind express.json()': (tokens, actor, path) => onAnyExpress(express5, [express5.json()], tokens, actor, path),
  'Express 5 behind every parser': (tokens, actor, path) =>
    onAnyExpress(express5, [express5.urlencoded(), express5.text(), express5.raw(), express5.json()], tokens, actor, path),
  'Koa 2': (tokens, actor, path) => onAnyKoa(Koa2, false, tokens, actor, path),
  'Koa 3': (tokens, actor, path) => onAnyKoa(Koa3, false, tokens, actor, path),
  'Koa 3 behind a body parser': (tokens, actor, path) => onAnyKoa(Koa3, true, tokens, actor, path),
  'Fastify 5': async (tokens, actor, path) => {
    const app = Fastify({ forceCloseConnections: true })
    await app.register(onFastify.management, {
      prefix: path,
      tokens,
      actor: (request) => actor(textOf(request.headers['x-user'])),
    })
    const origin = await app.listen({ port: 0, host: '127.0.0.1' })
    return { origin, close: () => app.close() }
  },
  'Hono on Node': (tokens, actor, path) => {
    const app = new Hono()
    app.route(path, onHono.management(tokens, { actor: (c) => actor(c.req.header('x-user')) }))
    return running(serve({ fetch: app.fetch, port: 0 }))
  },
  'web requests': (tokens, actor, path) => {
    const handle = onWeb.management(tokens, { mountPath: path, actor: (request) => actor(request.headers.get('x-user') ?? undefined) })
    return running(serve({ fetch: handle, port: 0 }))
  },
}

function onAnyExpress(
  express: typeof express5,
  parsers: readonly RequestHandler[],
  tokens: Latchkey,
  actor: ActorByHeader,
  path: string,
): Promise<Host> {
  const app = express()
  for (const parser of parsers) app.use(parser)
  app.use(path, onExpress.management(tokens, { actor: (req) => actor(req.get('x-user')) }))
  return running(createServer(app).listen(0))
}

function onAnyKoa(Koa: typeof Koa3, parses: boolean, tokens: Latchkey, actor: ActorByHeader, path: string): Promise<Host> {
  const app = new Koa()
  app.silent = true
  if (parses) {
    app.use(async (ctx, next) => {
      const chunks: Buffer[] = []
      for await (const chunk of ctx.req) chunks.push(chunk)
      const text = Buffer.concat(chunks).toString()
      Reflect.set(ctx.request, 'body', text === '' ? {} : JSON.parse(text))
      await next()
    })
  }
  app.use(mount(path, onKoa.management(tokens, { actor: (ctx) => actor(ctx.get('x-user') || undefined) })))
  return running(createServer(app.callback()).listen(0))
}

async function running(server: Server | ServerType): Promise<Host> {
  if (!server.listening) await once(server, 'listening')
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      if ('closeAllConnections' in server) server.closeAllConnections()
      return new Promise((resolve) => server.close(resolve))
    },
  }
}

function textOf(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined
}
