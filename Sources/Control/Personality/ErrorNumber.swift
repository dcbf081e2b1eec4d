/// An error number as Linux numbers them on the wire (asm-generic), and as clients print them.
package struct ErrorNumber: RawRepresentable, Hashable, Sendable {
    package var rawValue: Int32

    package init(rawValue: Int32) { self.rawValue = rawValue }

    package static let notPermitted = ErrorNumber(rawValue: 1)  // EPERM
    package static let noSuchEntry = ErrorNumber(rawValue: 2)  // ENOENT
    package static let noSuchService = ErrorNumber(rawValue: 3)  // ESRCH
    package static let outOfMemory = ErrorNumber(rawValue: 12)  // ENOMEM
    package static let exists = ErrorNumber(rawValue: 17)  // EEXIST
    package static let noSuchDevice = ErrorNumber(rawValue: 19)  // ENODEV
    package static let invalid = ErrorNumber(rawValue: 22)  // EINVAL
    package static let outOfRange = ErrorNumber(rawValue: 34)  // ERANGE
    package static let badMessage = ErrorNumber(rawValue: 74)  // EBADMSG
    package static let notSupported = ErrorNumber(rawValue: 95)  // EOPNOTSUPP
    package static let familyNotSupported = ErrorNumber(rawValue: 97)  // EAFNOSUPPORT
    package static let connectionReset = ErrorNumber(rawValue: 104)  // ECONNRESET
}

/// A request that was not carried out: the error number of the answer and, where one number means
/// many things, a sentence for people (an extended acknowledgement on the wire).
package struct Refusal: Error, Hashable, Sendable {
    package var number: ErrorNumber
    package var text: String?

    package init(_ number: ErrorNumber, _ text: String? = nil) {
        self.number = number
        self.text = text
    }
}
