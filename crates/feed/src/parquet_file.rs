//! Tables as Parquet: one row group, every column optional.

use crate::EncodeError;
use crate::table::{Cell, Head, Kind, Table};
use parquet::basic::{LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;
use std::sync::Arc;

/// Digits of a decimal in 64 bits.
const PRECISION: i32 = 18;

pub(crate) fn encode(
    table: &Table,
    metadata: &[(&'static str, String)],
) -> Result<Vec<u8>, EncodeError> {
    let schema = schema(table.heads()).map_err(EncodeError::Parquet)?;
    let said = metadata
        .iter()
        .map(|(key, value)| KeyValue::new((*key).to_owned(), value.clone()));
    // Without what depends on the library's release, so that the same table is the same file.
    let properties = WriterProperties::builder()
        .set_created_by("kpiline".to_owned())
        .set_key_value_metadata(Some(said.collect()))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .build();
    let write = || -> Result<Result<Vec<u8>, EncodeError>, ParquetError> {
        let mut writer =
            SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties))?;
        let mut group = writer.next_row_group()?;
        let mut index = 0;
        while let Some(mut column) = group.next_column()? {
            if let Err(error) = fill(column.untyped(), table, index) {
                return Ok(Err(error));
            }
            column.close()?;
            index += 1;
        }
        group.close()?;
        writer.into_inner().map(Ok)
    };
    write().map_err(EncodeError::Parquet)?
}

fn schema(heads: &[Head]) -> Result<Type, ParquetError> {
    let mut fields = Vec::with_capacity(heads.len());
    for head in heads {
        let optional = |physical| {
            Type::primitive_type_builder(&head.field, physical)
                .with_repetition(Repetition::OPTIONAL)
        };
        let field = match head.kind {
            Kind::Text => {
                optional(Physical::BYTE_ARRAY).with_logical_type(Some(LogicalType::String))
            }
            Kind::Number(0) => optional(Physical::INT64),
            Kind::Number(places) => optional(Physical::INT64)
                .with_logical_type(Some(LogicalType::decimal(places.into(), PRECISION)))
                .with_precision(PRECISION)
                .with_scale(places.into()),
            Kind::Instant(_) => optional(Physical::INT64)
                .with_logical_type(Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
        };
        fields.push(Arc::new(field.build()?));
    }
    Type::group_type_builder("feed").with_fields(fields).build()
}

/// Writes the cells of one column, the null ones as absent.
fn fill(writer: &mut ColumnWriter<'_>, table: &Table, index: usize) -> Result<(), EncodeError> {
    let wrong = || {
        let head = table.heads().get(index);
        EncodeError::Kind(head.map_or_else(String::new, |head| head.field.clone()))
    };
    let cells = || table.rows().iter().filter_map(|row| row.get(index));
    let levels: Vec<i16> = cells().map(|cell| i16::from(*cell != Cell::Null)).collect();
    let stated = cells().filter(|cell| **cell != Cell::Null);
    let written = match writer {
        ColumnWriter::Int64ColumnWriter(column) => {
            let numbers = stated.map(|cell| match cell {
                Cell::Number(number) => Some(number.units()),
                Cell::Instant(at) => Some(at.0),
                Cell::Text(_) | Cell::Null => None,
            });
            let numbers: Vec<i64> = numbers.collect::<Option<_>>().ok_or_else(wrong)?;
            column.write_batch(&numbers, Some(&levels), None)
        }
        ColumnWriter::ByteArrayColumnWriter(column) => {
            let texts = stated.map(|cell| match cell {
                Cell::Text(text) => Some(ByteArray::from(text.as_str())),
                Cell::Number(_) | Cell::Instant(_) | Cell::Null => None,
            });
            let texts: Vec<ByteArray> = texts.collect::<Option<_>>().ok_or_else(wrong)?;
            column.write_batch(&texts, Some(&levels), None)
        }
        _ => return Err(wrong()),
    };
    written.map(|_| ()).map_err(EncodeError::Parquet)
}
