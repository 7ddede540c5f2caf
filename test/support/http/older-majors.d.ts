// Types of the present majors stand for the older ones: the adapters use what both have.
declare module 'express4' {
  const express: typeof import('express')
  export = express
}

declare module 'koa2' {
  const Koa: typeof import('koa')
  export = Koa
}
