// SPDX-License-Identifier: GPL-2.0
// Echo serve PORT | run HOST PORT COUNT: messages behind their length, by NIO:
// one thread, selectors, direct buffers. The server sends back what comes; the
// client prints the checksum of all answers in order.
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.HexFormat;

public class Echo {
	static final int[] SIZES = {1, 1000, 16384, 100000, 65537};
	static final int AT_ONCE = 4;

	static byte[] body(int i) {
		int size = SIZES[i % SIZES.length];
		String word = String.format("%08d,", i);

		return word.repeat(size / word.length() + 1).substring(0, size)
			.getBytes(StandardCharsets.US_ASCII);
	}

	/** One end of a connection: a message comes in, or goes out. */
	static class End {
		final ByteBuffer in = ByteBuffer.allocateDirect(1 << 17);
		ByteBuffer out;
		int number;		// of the message, at the client

		/** A whole message, or null; -1 bytes are the end. */
		byte[] read(SocketChannel channel) throws IOException {
			if (in.position() >= 4)
				in.limit(4 + in.getInt(0));
			else
				in.limit(4);
			if (channel.read(in) < 0)
				throw new IOException("end of stream");
			if (in.position() < 4 || in.position() < 4 + in.getInt(0))
				return null;
			byte[] message = new byte[in.getInt(0)];
			in.get(4, message);
			in.clear();
			return message;
		}

		void put(byte[] message) {
			out = ByteBuffer.allocateDirect(4 + message.length);
			out.putInt(message.length).put(message).flip();
		}

		/** Whether all of it is written. */
		boolean write(SocketChannel channel) throws IOException {
			channel.write(out);
			return !out.hasRemaining();
		}
	}

	static void serve(int port) throws IOException {
		Selector selector = Selector.open();
		ServerSocketChannel listener = ServerSocketChannel.open();

		listener.bind(new InetSocketAddress(port));
		listener.configureBlocking(false);
		listener.register(selector, SelectionKey.OP_ACCEPT);
		while (true) {
			selector.select();
			for (SelectionKey key : selector.selectedKeys()) {
				if (key.isAcceptable())
					accept(selector, listener);
				else
					answer(key);
			}
			selector.selectedKeys().clear();
		}
	}

	static void accept(Selector selector, ServerSocketChannel listener)
			throws IOException {
		SocketChannel channel = listener.accept();

		channel.configureBlocking(false);
		channel.register(selector, SelectionKey.OP_READ, new End());
	}

	static void answer(SelectionKey key) throws IOException {
		SocketChannel channel = (SocketChannel) key.channel();
		End end = (End) key.attachment();

		try {
			if (key.isReadable()) {
				byte[] message = end.read(channel);

				if (message == null)
					return;
				end.put(message);
			}
			key.interestOps(end.write(channel) ?
				SelectionKey.OP_READ : SelectionKey.OP_WRITE);
		} catch (IOException gone) {
			channel.close();
		}
	}

	static void run(String host, int port, int count) throws Exception {
		Selector selector = Selector.open();
		byte[][] answers = new byte[count][];
		long begin = System.nanoTime();
		int next = 0, left = count;

		for (int i = 0; i < AT_ONCE; i++) {
			SocketChannel channel = SocketChannel.open();

			channel.configureBlocking(false);
			channel.connect(new InetSocketAddress(host, port));
			channel.register(selector, SelectionKey.OP_CONNECT,
				new End());
		}
		while (left > 0) {
			selector.select();
			for (SelectionKey key : selector.selectedKeys()) {
				SocketChannel channel =
					(SocketChannel) key.channel();
				End end = (End) key.attachment();
				boolean free = key.isConnectable() &&
					channel.finishConnect();

				if (key.isReadable()) {
					byte[] message = end.read(channel);

					free = message != null;
					if (free) {
						answers[end.number] = message;
						left--;
					}
				}
				if (free && next < count) {
					end.number = next++;
					end.put(body(end.number));
				}
				if (end.out != null)
					key.interestOps(end.write(channel) ?
						SelectionKey.OP_READ :
						SelectionKey.OP_WRITE);
			}
			selector.selectedKeys().clear();
		}
		tell(answers, (System.nanoTime() - begin) / 1e9);
	}

	static void tell(byte[][] answers, double seconds) throws Exception {
		MessageDigest hash = MessageDigest.getInstance("SHA-256");

		for (byte[] answer : answers)
			hash.update(answer);
		System.out.println(HexFormat.of().formatHex(hash.digest()) +
			" " + answers.length + " " + seconds);
	}

	public static void main(String[] words) throws Exception {
		if (words[0].equals("serve"))
			serve(Integer.parseInt(words[1]));
		else
			run(words[1], Integer.parseInt(words[2]),
				Integer.parseInt(words[3]));
	}
}
