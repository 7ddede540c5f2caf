import { HttpException } from '@nestjs/common'

/** A refusal. Without a filter for it, its answer goes out as on every other framework. */
export class RefusedException extends HttpException {
  /** The answer: status, header fields, and the body as text. */
  readonly answer: { readonly status: number; readonly headers: { readonly [name: string]: string }; readonly body: string }

  constructor(answer: RefusedException['answer']) {
    super(JSON.parse(answer.body), answer.status)
    this.answer = answer
  }
}
