import type Router from '@koa/router'
import type { RouterMiddleware } from '@koa/router'
import type Koa from 'koa'

export { default as Router } from '@koa/router'
export { default as Koa } from 'koa'
export { default as mount } from 'koa-mount'
export { authenticate, management, protect, requireScopes } from 'latchkey/koa'

export declare const app: Koa
export declare const router: Router
export declare const guarded: Router
export declare const show: RouterMiddleware
export declare const showWarehouse: RouterMiddleware
