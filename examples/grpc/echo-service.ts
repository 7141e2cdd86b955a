import { Metadata, Server, ServerCredentials, makeGenericClientConstructor, status } from '@grpc/grpc-js';
import type {
  MethodDefinition,
  ServerDuplexStream,
  ServerReadableStream,
  ServerUnaryCall,
  ServerWritableStream,
  ServiceClientConstructor,
  ServiceDefinition,
  sendUnaryData,
} from '@grpc/grpc-js';

/** Messages are octets as they are: the service needs no schema. */
function method(name: string, requestStream: boolean, responseStream: boolean): MethodDefinition<Buffer, Buffer> {
  const same = (octets: Buffer): Buffer => octets;
  return {
    path: `/caravan.example.Echo/${name}`,
    requestStream,
    responseStream,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
}

/** One method of each kind, and some that end otherwise. */
export const echoService: ServiceDefinition = {
  /** Answers with the request; metadata `x-*` comes back as head, and as trailers with `-end` behind the name. */
  once: method('Once', false, false),
  /** Answers with the number of octets of all requests, in decimal. */
  gather: method('Gather', true, false),
  /** `<count> <size>`: answers with as many messages of this size. */
  repeat: method('Repeat', false, true),
  /** Answers each request with the same. */
  converse: method('Converse', true, true),
  /** Answers with an error at once, without a head of its own. */
  refuse: method('Refuse', false, false),
  /** Never answers. */
  wait: method('Wait', false, false),
};

/** What `reflect` tells clients like grpcurl: the names of the services. Field numbers are those of grpc.reflection.v1. */
const reflectionService: ServiceDefinition = {
  info: { ...method('', true, true), path: '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo' },
};

export const EchoClient: ServiceClientConstructor = makeGenericClientConstructor(echoService, 'Echo');
export const ReflectionClient: ServiceClientConstructor = makeGenericClientConstructor(reflectionService, 'ServerReflection');

export interface EchoServer {
  readonly server: Server;
  readonly port: number;
  /** Calls of `wait` that have been given up. */
  readonly cancelled: () => number;
  /** Calls of `wait` that are under way. */
  readonly waiting: () => number;
}

/** Starts the service on this port of the loopback interface; 0 = any. */
export async function startEchoServer(port: number): Promise<EchoServer> {
  let cancelled = 0;
  let waiting = 0;
  const server = new Server({ 'grpc.max_receive_message_length': -1 });
  server.addService(echoService, {
    once: (call: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>) => {
      const head = new Metadata();
      const end = new Metadata();
      for (const [key, value] of metadataOf(call.metadata)) {
        head.add(key, value);
        end.add(key.endsWith('-bin') ? `${key.slice(0, -4)}-end-bin` : `${key}-end`, value);
      }
      call.sendMetadata(head);
      reply(null, call.request, end);
    },
    gather: (call: ServerReadableStream<Buffer, Buffer>, reply: sendUnaryData<Buffer>) => {
      let size = 0;
      call.on('data', (message: Buffer) => (size += message.length));
      call.on('end', () => reply(null, Buffer.from(String(size))));
    },
    repeat: (call: ServerWritableStream<Buffer, Buffer>) => {
      const [count = 0, size = 0] = call.request.toString().split(' ').map(Number);
      const message = Buffer.alloc(size, 'r');
      let sent = 0;
      const more = (): void => {
        while (sent < count) {
          sent++;
          if (!call.write(message)) {
            call.once('drain', more);
            return;
          }
        }
        call.end();
      };
      more();
    },
    converse: (call: ServerDuplexStream<Buffer, Buffer>) => {
      call.on('data', (message: Buffer) => {
        if (call.write(message)) return;
        call.pause();
        call.once('drain', () => call.resume());
      });
      call.on('end', () => call.end());
    },
    refuse: (_call: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>) => {
      const metadata = new Metadata();
      metadata.set('x-why', 'as asked');
      reply({ code: status.FAILED_PRECONDITION, details: 'not today: 100 %, ünd', metadata });
    },
    wait: (call: ServerUnaryCall<Buffer, Buffer>) => {
      waiting++;
      call.on('cancelled', () => {
        waiting--;
        cancelled++;
      });
    },
  });
  server.addService(reflectionService, {
    info: (call: ServerDuplexStream<Buffer, Buffer>) => {
      call.on('data', (request: Buffer) => {
        const name = Buffer.from('caravan.example.Echo');
        const service = lengthDelimited(1, name);
        call.write(Buffer.concat([lengthDelimited(2, request), lengthDelimited(6, lengthDelimited(1, service))]));
      });
      call.on('end', () => call.end());
    },
  });
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, number) =>
      error === null ? resolve(number) : reject(error),
    );
  });
  return { server, port: bound, cancelled: () => cancelled, waiting: () => waiting };
}

function* metadataOf(metadata: Metadata): Generator<[string, string | Buffer]> {
  for (const key of Object.keys(metadata.getMap())) {
    if (key.startsWith('x-') && !/^x-(?:forwarded|request)-/.test(key)) for (const value of metadata.get(key)) yield [key, value];
  }
}

/** A field of Protocol Buffers: tag, length, octets; all short. */
function lengthDelimited(field: number, octets: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(field << 3) | 2, octets.length]), octets]);
}
