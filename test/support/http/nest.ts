import 'reflect-metadata'
import type { AddressInfo } from 'node:net'
import { All, Controller, Get, HttpCode, Post, Req, Res, UseGuards } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express'
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify'
import { type HttpRequest, LatchkeyGuard, LatchkeyModule, RequireScopes } from 'latchkey/nest'
import { memoryStore } from 'latchkey/stores/memory'
import type { HttpHarness, HttpSite, SiteRoute } from '../../http-contract/types.js'

const METHODS = { ALL: All, GET: Get, POST: Post } as const

type Reply = {
  type?(name: string): unknown
  setHeader?(name: string, value: string): unknown
  send(body: Buffer): unknown
  end?(body: Buffer): unknown
}

/** A controller with one decorated method for each route, as its author would write it. */
function controllerOf(base: string, routes: readonly SiteRoute[]): new () => object {
  class RoutesController {}
  routes.forEach((route, index) => {
    const name = `route${index}`
    Object.defineProperty(RoutesController.prototype, name, {
      value: async (request: HttpRequest, reply: Reply) => {
        const body = Buffer.from(JSON.stringify(await route.answer(() => Reflect.get(request, 'principal') as never)))
        if (reply.type !== undefined && reply.end === undefined) return void Object(reply.type('application/json')).send(body)
        reply.setHeader?.('content-type', 'application/json')
        reply.end?.(body)
      },
      writable: true,
      configurable: true,
    })
    const descriptor = Object.getOwnPropertyDescriptor(RoutesController.prototype, name) as PropertyDescriptor
    Req()(RoutesController.prototype, name, 0)
    Res()(RoutesController.prototype, name, 1)
    HttpCode(200)(RoutesController.prototype, name, descriptor)
    METHODS[route.method](route.path.slice(base.length))(RoutesController.prototype, name, descriptor)
    const requirement = route.requirement((request: HttpRequest, parameter) => request.params[parameter])
    if (requirement !== undefined) RequireScopes(...requirement)(RoutesController.prototype, name, descriptor)
  })
  Controller(base)(RoutesController)
  return RoutesController
}

/** `@RequireScopes` itself authenticates, so it never runs without authentication. */
const BARE = ['requireScopes without authenticate, with a valid token', 'requireScopes without authenticate, without a token']
/** Nest runs its guards after Fastify has read the body. */
const BODY_FIRST = [
  'Expect: 100-continue without a token',
  'Expect: 100-continue with insufficient scope',
  'a body that never arrives, without a token',
  'a chunked body that never ends, without a token',
]

/** The contract's routes under Nest, on one of its two platforms. */
export function nestHarness(name: string, platform: 'express' | 'fastify'): HttpHarness {
  return {
    name,
    except: platform === 'express' ? BARE : [...BARE, ...BODY_FIRST],
    store: () => memoryStore(),
    async start({ tokens, options, trustProxy, routes }: HttpSite) {
      const api = controllerOf(
        '/api',
        routes.filter((route) => route.guarded && !route.nested),
      )
      const nested = controllerOf(
        '/api/nested',
        routes.filter((route) => route.nested),
      )
      for (const controller of [api, nested]) UseGuards(LatchkeyGuard)(controller)
      const open = controllerOf(
        '',
        routes.filter((route) => !route.guarded),
      )
      class AppModule {}
      const module = {
        module: AppModule,
        imports: [LatchkeyModule.forRoot({ tokens, ...options })],
        controllers: [nested, api, open],
      }
      const settings = { logger: false, bodyParser: false, forceCloseConnections: true } as const
      if (platform === 'express') {
        const app = await NestFactory.create<NestExpressApplication>(module, new ExpressAdapter(), settings)
        app.set('trust proxy', trustProxy)
        await app.listen(0)
        return { port: (app.getHttpServer().address() as AddressInfo).port, close: () => app.close() }
      }
      const app = await NestFactory.create<NestFastifyApplication>(module, new FastifyAdapter({ trustProxy }), settings)
      const fastify = app.getHttpAdapter().getInstance()
      fastify.removeAllContentTypeParsers()
      fastify.addContentTypeParser('*', (_request, payload, done) => {
        payload.resume()
        payload.on('end', () => done(null))
      })
      await app.listen(0)
      return { port: (app.getHttpServer().address() as AddressInfo).port, close: () => app.close() }
    },
  }
}
