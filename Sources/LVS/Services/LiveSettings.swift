import Synchronization

/// The settings that packets ask for, as words the housekeeper writes and workers read.
@safe
package struct LiveSettings: @unchecked Sendable {
    /// One word for each setting; see `Settings` for names, ranges and meaning.
    struct Words: ~Copyable {
        let connReuseMode = Atomic<UInt32>(1)
        let expireNoDestination = Atomic<UInt32>(0)
        let sloppyTCP = Atomic<UInt32>(0)
        let natICMPSend = Atomic<UInt32>(0)
        let pathMTUDiscovery = Atomic<UInt32>(1)
        let secureTCP = Atomic<UInt32>(0)
        /// Every n-th packet about to be scheduled is dropped; 0 is none.
        let dropRate = Atomic<UInt32>(0)
        let tcpEstablishedSeconds = Atomic<UInt32>(900)
        let tcpFinWaitSeconds = Atomic<UInt32>(120)
        let udpSeconds = Atomic<UInt32>(300)
    }

    let words: UnsafeMutablePointer<Words>

    init() {
        unsafe words = .allocate(capacity: 1)
        unsafe words.initialize(to: Words())
    }

    func deallocate() { unsafe words.deallocate() }

    /// Which openers on an existing connection are scheduled anew (ipvs-semantics 4.7).
    package var connReuseMode: UInt32 {
        unsafe words.pointee.connReuseMode.load(ordering: .relaxed)
    }
    package var expiresConnectionsWithoutDestination: Bool {
        unsafe words.pointee.expireNoDestination.load(ordering: .relaxed) != 0
    }
    package var isSloppyTCP: Bool {
        unsafe words.pointee.sloppyTCP.load(ordering: .relaxed) != 0
    }
    package var sendsICMPForUnknownReplies: Bool {
        unsafe words.pointee.natICMPSend.load(ordering: .relaxed) != 0
    }
    package var discoversPathMTU: Bool {
        unsafe words.pointee.pathMTUDiscovery.load(ordering: .relaxed) != 0
    }
    package var isSecureTCP: Bool {
        unsafe words.pointee.secureTCP.load(ordering: .relaxed) != 0
    }
    package var dropRate: UInt32 { unsafe words.pointee.dropRate.load(ordering: .relaxed) }
    package var tcpEstablishedSeconds: UInt32 {
        unsafe words.pointee.tcpEstablishedSeconds.load(ordering: .relaxed)
    }
    package var tcpFinWaitSeconds: UInt32 {
        unsafe words.pointee.tcpFinWaitSeconds.load(ordering: .relaxed)
    }
    package var udpSeconds: UInt32 {
        unsafe words.pointee.udpSeconds.load(ordering: .relaxed)
    }
}
