package import Posix

/// Why a request to the director did not succeed.
package enum ControlError: Error, Hashable, Sendable {
    /// No director answers at this path.
    case unreachable(SystemError)
    /// The connection broke in the middle.
    case broken(SystemError)
    /// The director refused: error number and, where it gave one, a sentence.
    case refused(Refusal)
    /// The answer was not understood; says what was wrong with it.
    case garbled(String)

    /// The error number, as the kernel's IPVS would have given it.
    package var number: Int32 {
        switch self {
        case .unreachable(let error), .broken(let error): error.code
        case .refused(let refusal): refusal.number.rawValue
        case .garbled: ErrorNumber.badMessage.rawValue
        }
    }

    /// The sentence of the director, or what else there is to say beyond the number.
    package var detail: String? {
        switch self {
        case .unreachable(let error), .broken(let error): error.description
        case .refused(let refusal): refusal.text
        case .garbled(let text): text
        }
    }
}
