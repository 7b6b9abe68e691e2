import { CallsiftError } from "../pipeline/errors.ts";
import { createAuditStore } from "./audit.ts";
import { createCallRecordStore } from "./call-records.ts";
import { createCallStore } from "./calls.ts";
import { removeStraySources } from "./calls-arrivals.ts";
import { finishBurials } from "./calls-tombstones.ts";
import { guarded, openConnection, toStoreError } from "./connection.ts";
import { createDeliveryStore } from "./deliveries.ts";
import { migrate } from "./migrations.ts";
import type { Models } from "./models.ts";
import { createPolicyStore } from "./policies.ts";
import { createReviewStore } from "./reviews.ts";
import { createScreeningStore } from "./screenings.ts";
import { createSearchIndex } from "./search/search-index.ts";
import { createSearchStore } from "./search.ts";
import { createSessionStore } from "./sessions.ts";
import { createSettingsStore } from "./settings.ts";
import { createTokenStore } from "./tokens.ts";
import { createTranscriptStore } from "./transcripts.ts";
import { createUserStore } from "./users.ts";

/**
 * Connects to the database and puts all stores together. `migrate()` has still to be called.
 *
 * @param uri with the database's name in it; may hold a password
 * @throws CallsiftError `store/unreachable`
 */
export async function openModels(uri: string, options: { readonly signal?: AbortSignal } = {}): Promise<Models> {
  const connection = await openConnection(uri, options);
  const words = createSearchIndex(connection);
  return {
    calls: guarded(createCallStore(connection)),
    transcripts: guarded(createTranscriptStore(connection, words)),
    screenings: guarded(createScreeningStore(connection)),
    reviews: guarded(createReviewStore(connection)),
    policies: guarded(createPolicyStore(connection)),
    users: guarded(createUserStore(connection)),
    sessions: guarded(createSessionStore(connection)),
    tokens: guarded(createTokenStore(connection)),
    audit: guarded(createAuditStore(connection)),
    callRecords: guarded(createCallRecordStore(connection)),
    search: guarded(createSearchStore(connection)),
    settings: guarded(createSettingsStore(connection)),
    deliveries: guarded(createDeliveryStore(connection)),
    migrate: async () => {
      await migrate(connection).catch(rethrow);
    },
    maintain: async () => {
      await Promise.all([words.maintain(), finishBurials(connection), removeStraySources(connection)]).catch(rethrow);
    },
    ping: async () => {
      // A server that is away is told at once, not after the half minute that writes wait.
      await connection
        .getClient()
        .db()
        .command({ ping: 1 }, { timeoutMS: PING_MS })
        .catch((error: unknown) => Promise.reject(unreachable(error)));
    },
    [Symbol.asyncDispose]: async () => {
      await connection.close();
    },
  };
}

const PING_MS = 2000;

function rethrow(error: unknown): never {
  throw toStoreError(error);
}

function unreachable(error: unknown): CallsiftError {
  return new CallsiftError("store/unreachable", `expected an answer of the database within ${PING_MS} ms, got none`, { cause: error });
}
