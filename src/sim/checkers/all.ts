import { Balance } from './balance.ts';
import type { Checker } from './checker.ts';
import { Conservation } from './conservation.ts';
import { CreditAndBuffers } from './credit-and-buffers.ts';
import { DatabaseAgreement } from './database-agreement.ts';
import { DeliveryGuarantees } from './delivery-guarantees.ts';
import { IdempotentReplay } from './idempotent-replay.ts';
import { LoopFree } from './loop-free.ts';
import { MonotoneEpochs } from './monotone-epochs.ts';
import { NoBlackHole } from './no-black-hole.ts';
import { NoUnauthorisedDelivery } from './no-unauthorised-delivery.ts';
import { NoUnauthorisedState } from './no-unauthorised-state.ts';
import { Revocation } from './revocation.ts';
import { SoleIdentity } from './sole-identity.ts';
import { TwoWays } from './two-ways.ts';
import { WorkBounds } from './work-bounds.ts';

/** A new set of all checkers. */
export function allCheckers(): readonly Checker[] {
  return [
    new LoopFree(),
    new NoBlackHole(),
    new DatabaseAgreement(),
    new TwoWays(),
    new NoUnauthorisedState(),
    new NoUnauthorisedDelivery(),
    new Conservation(),
    new DeliveryGuarantees(),
    new CreditAndBuffers(),
    new Balance(),
    new WorkBounds(),
    new MonotoneEpochs(),
    new Revocation(),
    new SoleIdentity(),
    new IdempotentReplay(),
  ];
}
