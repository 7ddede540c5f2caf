// The older majors use the types of the current majors, because the adapters use only what both have in common.
declare module 'express4' {
  const express: typeof import('express')
  export = express
}

declare module 'koa2' {
  const Koa: typeof import('koa')
  export = Koa
}
