//! Files say what the table says.

use crate::given::{figure, kpi, start, wfm, window, zone};
use feed::{
    Cell, Column, Csv, Definition, Format, LineEnd, Measure, Number, Revision, Shown, Source,
    Table, encode,
};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;
use proptest::prelude::*;
use window::{Dimension, Window};

fn interval() -> Window {
    window("2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z")
}

fn table(definition: &Definition, rows: &[(Option<&str>, i64, i64)]) -> Table {
    let figures: Vec<_> = rows
        .iter()
        .flat_map(|(queue, sum, count)| {
            [
                figure(0, *queue, interval(), (*count, *count), "count"),
                figure(1, *queue, interval(), (*sum, *count), "seconds"),
            ]
        })
        .collect();
    let table = Table::of(definition, interval(), &figures).unwrap();
    table.sent_as(Revision(2), true)
}

#[test]
fn a_file_is_as_the_contract_has_it() {
    let mut wfm = wfm();
    wfm.format = Format::Csv(Csv {
        separator: ';',
        decimal: ',',
        null: "-".to_owned(),
        header: true,
        line_end: LineEnd::CrLf,
    });
    let pattern = start("%d.%m.%Y %H:%M %z", zone("Europe/Berlin"));
    wfm.columns.push(Column {
        field: "Local; start".to_owned(),
        source: pattern,
    });
    let table = table(&wfm, &[(Some("sa\"les"), 65_750, 1), (None, 0, 0)]);
    let text = String::from_utf8(encode(&wfm, &table).unwrap()).unwrap();
    assert_eq!(
        text,
        "Queue;Start;Offered;AHT;SL;Rev;Corr;\"Local; start\"\r\n\
         \"sa\"\"les\";2026-10-25T02:30:00+02:00;1;65,8;-;2;1;25.10.2026 02:30 +0200\r\n\
         -;2026-10-25T02:30:00+02:00;0;-;-;2;1;25.10.2026 02:30 +0200\r\n"
    );
}

#[test]
fn an_interval_with_nothing_in_it_is_a_file_without_rows() {
    let mut wfm = wfm();
    let empty = table(&wfm, &[]);
    let text = String::from_utf8(encode(&wfm, &empty).unwrap()).unwrap();
    assert_eq!(text, "Queue,Start,Offered,AHT,SL,Rev,Corr\r\n");
    wfm.format = Format::Parquet;
    let bytes = encode(&wfm, &empty).unwrap();
    let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
    assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
    assert_eq!(
        reader
            .metadata()
            .file_metadata()
            .schema_descr()
            .num_columns(),
        7
    );
}

/// What a reader makes of a cell.
fn read(field: &Field) -> Cell {
    match field {
        Field::Null => Cell::Null,
        Field::Str(text) => Cell::Text(text.clone()),
        Field::Long(number) => Cell::Number(Number::new(*number, 0)),
        Field::TimestampMicros(micros) => Cell::Instant(schema::UtcMicros(*micros)),
        Field::Decimal(decimal) => {
            let bytes: [u8; 8] = decimal.data().try_into().unwrap();
            let places = u8::try_from(decimal.scale()).unwrap();
            Cell::Number(Number::new(i64::from_be_bytes(bytes), places))
        }
        other => panic!("{other:?}"),
    }
}

/// Names of queues with what files quote.
fn queue() -> impl Strategy<Value = Option<String>> {
    prop::option::weighted(0.9, "[a-z0-9 ;,\"'\n\r\u{e4}\u{1f600}]{1,8}")
}

proptest! {
    #[test]
    fn parquet_gives_back_every_cell(
        rows in prop::collection::btree_map(queue(), (-1_000_000_000_i64..1_000_000_000, 0_i64..1000), 0..20),
    ) {
        let mut wfm = wfm();
        wfm.format = Format::Parquet;
        let rows: Vec<_> = rows.iter().map(|(queue, (sum, count))| (queue.as_deref(), *sum, *count)).collect();
        let table = table(&wfm, &rows);
        let bytes = encode(&wfm, &table).unwrap();
        prop_assert_eq!(&bytes, &encode(&wfm, &table).unwrap(), "the same table is the same file");
        let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
        let names: Vec<_> = reader.metadata().file_metadata().schema_descr().columns().iter().map(|c| c.name().to_owned()).collect();
        let heads: Vec<_> = table.heads().iter().map(|head| head.field.clone()).collect();
        prop_assert_eq!(names, heads);
        let found: Vec<Vec<Cell>> = reader
            .get_row_iter(None)
            .unwrap()
            .map(|row| row.unwrap().get_column_iter().map(|(_, field)| read(field)).collect())
            .collect();
        prop_assert_eq!(found, table.rows());
    }

    #[test]
    fn csv_gives_back_every_field(
        rows in prop::collection::btree_map(queue(), (-1_000_000_000_i64..1_000_000_000, 0_i64..1000), 0..20),
        separator in prop::sample::select(vec![',', ';', '\t', '|']), lf in any::<bool>(),
    ) {
        let mut wfm = wfm();
        wfm.columns = vec![
            Column { field: "Queue".to_owned(), source: Source::Dimension(Dimension::Queue) },
            Column { field: "AHT; s".to_owned(), source: kpi(1, Measure::Mean, Shown::Milliseconds, 3) },
        ];
        let csv = Csv {
            separator,
            null: "NULL".to_owned(),
            line_end: if lf { LineEnd::Lf } else { LineEnd::CrLf },
            ..Csv::default()
        };
        wfm.format = Format::Csv(csv);
        let rows: Vec<_> = rows.iter().map(|(queue, (sum, count))| (queue.as_deref(), *sum, *count)).collect();
        let table = table(&wfm, &rows);
        let bytes = encode(&wfm, &table).unwrap();
        let mut reader = csv::ReaderBuilder::new().delimiter(u8::try_from(separator).unwrap()).from_reader(bytes.as_slice());
        prop_assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>(), ["Queue", "AHT; s"]);
        let found: Vec<Vec<String>> = reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
        let text = |cell: &Cell| match cell {
            Cell::Null => "NULL".to_owned(),
            Cell::Text(text) => text.clone(),
            Cell::Number(number) => number.to_string(),
            Cell::Instant(at) => at.to_string(),
        };
        let expected: Vec<Vec<String>> = table.rows().iter().map(|row| row.iter().map(text).collect()).collect();
        prop_assert_eq!(found, expected);
    }
}
