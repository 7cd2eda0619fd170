// All that people and programs may look at and do, in one: what concerns the mail, what the console's further pages
// stand on, and around both the audit.
import { createOperations, type OperateOptions } from '../operate.ts';
import type { Operations } from '../operations.ts';
import { withAudit } from './auditing.ts';
import { createOversight, type OverseeOptions } from './overseeing.ts';

export function createWholeOperations(options: OperateOptions & OverseeOptions): Operations {
  return withAudit({ ...createOperations(options), ...createOversight(options) }, options);
}
