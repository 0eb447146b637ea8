//! What is at fault at a pipe's ends, as a problem. It is no fault of the service, and none of its server errors.

use std::error::Error;

use housepipe_runtime::{ErrorsError, Fault, InferError, PipeError, PreviewError};

use super::problem::{Problem, ProblemCode};
use crate::service::explain;

/// Characters of a detail, at most: words of others are part of it.
const DETAIL_CHARS_MAX: usize = 4_000;

fn code(fault: Fault) -> ProblemCode {
    match fault {
        Fault::SourceUnreachable => ProblemCode::SourceUnreachable,
        Fault::DestinationUnreachable => ProblemCode::DestinationUnreachable,
        Fault::RegistryUnreachable => ProblemCode::RegistryUnreachable,
        Fault::NotAuthenticatedThere => ProblemCode::NotAuthenticatedThere,
        Fault::NotAllowedThere => ProblemCode::NotAllowedThere,
        Fault::NoSuchTopic => ProblemCode::NoSuchTopic,
        Fault::NoSuchTable => ProblemCode::NoSuchTable,
        Fault::SourceRefused => ProblemCode::SourceRefused,
        Fault::DestinationRefused => ProblemCode::DestinationRefused,
        Fault::SchemaUnusable => ProblemCode::SchemaUnusable,
        Fault::ColumnsUnusable => ProblemCode::ColumnsUnusable,
        Fault::NothingToInfer => ProblemCode::NothingToInfer,
        Fault::NoErrorTable => ProblemCode::NoErrorTable,
        Fault::InvalidCondition => ProblemCode::InvalidCondition,
        Fault::ReplayUnderWay => ProblemCode::ReplayUnderWay,
        Fault::ReplayHeld => ProblemCode::ReplayHeld,
        Fault::Defect => ProblemCode::Internal,
    }
}

/// The problem of an error that names its cause and how to mend it.
fn problem(fault: Fault, error: &(dyn Error + 'static)) -> Problem {
    let told = explain(error);
    if fault == Fault::Defect {
        tracing::error!(error = told, "a look at the ends of a pipe has failed");
        return Problem::new(ProblemCode::Internal, "the service's log says more");
    }
    let plain = |letter: char| if letter.is_control() && letter != '\n' { ' ' } else { letter };
    Problem::new(code(fault), told.chars().take(DETAIL_CHARS_MAX).map(plain).collect::<String>())
}

impl From<PipeError> for Problem {
    fn from(error: PipeError) -> Problem {
        problem(error.fault(), &error)
    }
}

impl From<InferError> for Problem {
    fn from(error: InferError) -> Problem {
        problem(error.fault(), &error)
    }
}

impl From<PreviewError> for Problem {
    fn from(error: PreviewError) -> Problem {
        problem(error.fault(), &error)
    }
}

impl From<ErrorsError> for Problem {
    fn from(error: ErrorsError) -> Problem {
        problem(error.fault(), &error)
    }
}
