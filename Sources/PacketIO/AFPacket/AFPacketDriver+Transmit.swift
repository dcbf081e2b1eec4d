package import LVS

extension AFPacketDriver {
    package func enqueue(_ frame: Frame) {
        transmitter.queue(frame)
    }

    package func enqueue(sendsOf burst: borrowing Burst) {
        forEachSend(of: burst, on: port) { frame in transmitter.queue(frame) }
    }

    package func flush() {
        transmitter.flush()
    }
}
